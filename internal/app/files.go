package app

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/config"
	"github.com/halley-chat/halley/internal/gms"
	"github.com/halley-chat/halley/internal/media"
)

// filesDir is the directory within the data directory where shared files are
// kept.
const filesDir = "files"

// policies are the services that take files, and which.
func policies(c config.Config) map[string]*media.Policy {
	all := make(map[string]*media.Policy)
	for name, s := range c.Services {
		if s.Files != nil {
			all[name] = policy(*s.Files)
		}
	}
	return all
}

func policy(f config.Files) *media.Policy {
	p := &media.Policy{
		FileRules: chat.FileRules{
			MaxFiles: f.MaxFiles, MaxFileSize: f.MaxFileSize, MaxTotalSize: f.MaxTotalSize,
			NeedAgent: f.NeedAgent, MaxFetches: f.DownloadAttempts,
		},
		Types: f.Types, Deletion: f.DeleteFile,
	}
	if s := f.Scan; s != nil {
		p.ScanWithin = time.Duration(s.Within)
		if p.Scanner = (media.Command{Args: s.Command}); s.URL != "" {
			p.Scanner = media.NewHook(s.URL)
		}
	}
	return p
}

// offerFiles adds which files they take to the services of the visitors' edge.
func offerFiles(services map[string]gms.Service, policies map[string]*media.Policy) {
	for name, p := range policies {
		s := services[name]
		s.Files = p
		services[name] = s
	}
}

// fileRules are what a service says about files, as far as chats decide it.
func fileRules(f *config.Files) chat.FileRules {
	if f == nil {
		return chat.FileRules{}
	}
	return policy(*f).FileRules
}

// openFiles opens the directory of files, if any service takes them or one ever
// did: chats still show those. The store must be open, since that keeps other
// processes out.
func (a *App) openFiles() (err error) {
	dir := filepath.Join(a.o.Config.Data, filesDir)
	if len(a.policies) == 0 {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	if a.fileDir, err = media.OpenDir(dir); err != nil {
		return err
	}
	store := guarded{a.fileDir, a.space}
	a.files, a.deskFiles = media.NewService(store, a.log), media.NewService(store, a.log)
	return nil
}

// closeFiles lets go of the directory of files.
func (a *App) closeFiles() error {
	if a.fileDir == nil {
		return nil
	}
	return a.fileDir.Close()
}
