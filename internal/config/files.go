package config

import (
	"maps"
	"net/url"
	"slices"
	"time"
)

// Files say which files the chats of a service take. The options have the names
// that Genesys gave them. What is zero has its default.
type Files struct {
	// MaxFiles is how many files each side of a chat may share; 3 by default.
	MaxFiles int `toml:"upload_max_files"`
	// MaxFileSize is of one file, in bytes; 2 MiB by default.
	MaxFileSize int64 `toml:"upload_max_file_size"`
	// MaxTotalSize is of all files of a side, in bytes; 5 MiB by default.
	MaxTotalSize int64 `toml:"upload_max_total_size"`
	// Types are the sorts of files that are taken, by the extensions of their
	// names; see [FileTypes].
	Types []string `toml:"upload_file_types"`
	// NeedAgent keeps the visitor from sharing until an agent has joined.
	NeedAgent bool `toml:"upload_need_agent"`
	// DownloadAttempts is how often a visitor may load each file; 10 by
	// default.
	DownloadAttempts int `toml:"download_attempts"`
	// DeleteFile is told to clients, and means nothing here; "odd" by default.
	DeleteFile string `toml:"delete_file"`
	// Scan says who looks at a file before it is taken; nobody by default.
	Scan *Scan `toml:"scan"`
}

// Scan is a program or an address that looks at files: one of the two.
type Scan struct {
	// Command is a program with its arguments.
	Command []string `toml:"command"`
	// URL is an address that files are posted to.
	URL string `toml:"url"`
	// Within is how long looking at a file may take; 10 s by default.
	Within Duration `toml:"within"`
}

// The defaults of files, and their bounds.
const (
	DefaultMaxFiles         = 3
	DefaultMaxFileSize      = 2 << 20
	DefaultMaxTotalSize     = 5 << 20
	DefaultDownloadAttempts = 10
	DefaultDeleteFile       = "odd"
	DefaultScanWithin       = Duration(10 * time.Second)

	maxFiles         = 100
	maxFileSize      = 1 << 30
	maxTotalSize     = 10 << 30
	maxAttempts      = 1000
	maxScanWithin    = time.Minute
	maxDeleteFileLen = 64
)

// DefaultFileTypes are the sorts of files that are taken unless others are
// named.
func DefaultFileTypes() []string { return []string{"jpg", "jpeg", "png", "gif", "pdf", "txt"} }

// FileTypes are the sorts of files that can be allowed, sorted.
func FileTypes() []string {
	return []string{
		"bmp", "csv", "doc", "docx", "gif", "heic", "jpeg", "jpg", "log", "mov", "mp3", "mp4", "odp", "ods", "odt", "pdf", "png",
		"ppt", "pptx", "rtf", "tif", "tiff", "txt", "wav", "webp", "xls", "xlsx", "zip",
	}
}

// filesWithDefaults fills in what the services' files leave out.
func (c Config) filesWithDefaults() {
	for _, name := range slices.Collect(maps.Keys(c.Services)) {
		s := c.Services[name]
		if s.Files == nil {
			continue
		}
		f := s.Files.withDefaults()
		s.Files = &f
		c.Services[name] = s
	}
}

func (f Files) withDefaults() Files {
	or := func(n *int64, v int64) {
		if *n == 0 {
			*n = v
		}
	}
	or(&f.MaxFileSize, DefaultMaxFileSize)
	or(&f.MaxTotalSize, max(DefaultMaxTotalSize, f.MaxFileSize))
	if f.MaxFiles == 0 {
		f.MaxFiles = DefaultMaxFiles
	}
	if f.DownloadAttempts == 0 {
		f.DownloadAttempts = DefaultDownloadAttempts
	}
	if len(f.Types) == 0 {
		f.Types = DefaultFileTypes()
	}
	if f.DeleteFile == "" {
		f.DeleteFile = DefaultDeleteFile
	}
	if f.Scan != nil && f.Scan.Within == 0 {
		scan := *f.Scan
		scan.Within = DefaultScanWithin
		f.Scan = &scan
	}
	return f
}

// validate says what is wrong with the files of a service.
func (f *Files) validate(v *validation, key string) {
	if f == nil {
		return
	}
	within := func(name string, n, most int64) {
		if n < 1 || n > most {
			v.fault(key+"."+name, "%d is not between 1 and %d", n, most)
		}
	}
	within("upload_max_files", int64(f.MaxFiles), maxFiles)
	within("upload_max_file_size", f.MaxFileSize, maxFileSize)
	within("upload_max_total_size", f.MaxTotalSize, maxTotalSize)
	within("download_attempts", int64(f.DownloadAttempts), maxAttempts)
	if f.MaxTotalSize > 0 && f.MaxFileSize > f.MaxTotalSize {
		v.fault(key+".upload_max_file_size", "one file may be larger than all of them together")
	}
	for i, t := range f.Types {
		switch {
		case !slices.Contains(FileTypes(), t):
			v.fault(key+".upload_file_types", "%q is not known; there are %v", t, FileTypes())
		case slices.Contains(f.Types[:i], t):
			v.fault(key+".upload_file_types", "%q stands there twice", t)
		}
	}
	if len(f.DeleteFile) > maxDeleteFileLen {
		v.fault(key+".delete_file", "it is longer than %d bytes", maxDeleteFileLen)
	}
	if s := f.Scan; s != nil {
		s.validate(v, key+".scan")
	}
}

func (s *Scan) validate(v *validation, key string) {
	switch {
	case (len(s.Command) == 0) == (s.URL == ""):
		v.fault(key, "either a command or a url is needed")
	case s.URL != "":
		if u, err := url.Parse(s.URL); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			v.fault(key+".url", "it is not an http or https address")
		}
	case s.Command[0] == "":
		v.fault(key+".command", "the program has no name")
	}
	if d := time.Duration(s.Within); d <= 0 || d > maxScanWithin {
		v.fault(key+".within", "%s is not between 0s and %s", d, maxScanWithin)
	}
}
