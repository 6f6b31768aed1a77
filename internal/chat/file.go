package chat

import (
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"
)

// FileID names a file within its chat: 16 upper-case hexadecimal digits.
type FileID string

// NewFileID makes an id of 64 random bits.
func NewFileID(random uint64) FileID { return FileID(fmt.Sprintf("%016X", random)) }

// ParseFileID reads an id. Only the form that [NewFileID] writes is taken, so
// that an id can be part of a path.
func ParseFileID(s string) (FileID, error) {
	n, err := strconv.ParseUint(s, 16, 64)
	if id := NewFileID(n); err == nil && string(id) == s {
		return id, nil
	}
	return "", Refuse(NotFound, "there is no such file")
}

// FileRules say which files the chats of a service take. The zero value takes
// none. The numbers hold for each side by itself: for the visitor, and for the
// staff in a chat together.
type FileRules struct {
	MaxFiles     int   // the most files at once; deleted ones do not count
	MaxFileSize  int64 // of one file, in bytes
	MaxTotalSize int64 // of all files at once, in bytes
	// NeedAgent keeps the visitor from sharing while nobody of the staff is
	// in the chat.
	NeedAgent bool
	// MaxFetches is how often the visitor may load each file.
	MaxFetches int
}

// Enabled says whether files are taken at all.
func (r FileRules) Enabled() bool { return r.MaxFiles > 0 }

// File is a file that is shared in a chat.
type File struct {
	ID   FileID `json:"id"`
	No   int    `json:"no"` // the participant who shared it
	Name string `json:"name"`
	Size int64  `json:"size"` // in bytes
	Type string `json:"type"` // a media type
	// Fetches is how often the visitor has loaded it.
	Fetches int `json:"fetches,omitempty"`
}

// Shared says that a participant shared a file. Its bytes are durable, outside
// of the log, before the event is.
type Shared struct {
	No          int    `json:"no"`
	File        FileID `json:"file"`
	Name        string `json:"name"`
	Size        int64  `json:"size"` // in bytes
	Type        string `json:"type"` // a media type
	Description string `json:"desc,omitempty"`
}

// Unshared says that a participant deleted a file.
type Unshared struct {
	No   int    `json:"no"`
	File FileID `json:"file"`
}

// Fetched says that the visitor loaded a file. Loading by staff, or after the
// chat's end, is not noted.
type Fetched struct {
	No   int    `json:"no"`
	File FileID `json:"file"`
}

func (Shared) fact() string   { return "shared" }
func (Unshared) fact() string { return "unshared" }
func (Fetched) fact() string  { return "fetched" }

type (
	// Share shares a file with the others. Its bytes are durable already, and
	// its type has been checked.
	Share struct {
		File        FileID
		Name        string
		Size        int64 // in bytes
		Type        string
		Description string
	}
	// Unshare deletes a file: the visitor one of its own, the staff any.
	Unshare struct{ File FileID }
	// Fetch asks whether the visitor may load a file, and counts it. It can
	// be asked of a chat that has ended or that the visitor has left; then it
	// is not counted.
	Fetch struct{ File FileID }
)

func (Share) action()   {}
func (Unshare) action() {}
func (Fetch) action()   {}

// FindFile finds a file among those of a chat.
func FindFile(files []File, id FileID) (File, bool) {
	i := slices.IndexFunc(files, func(f File) bool { return f.ID == id })
	if i < 0 {
		return File{}, false
	}
	return files[i], true
}

// FileUse is what one side has shared so far and not deleted.
type FileUse struct {
	Files   int
	Size    int64 // in bytes
	Fetches int   // of the file that the visitor has loaded most often
}

// UseOf adds up the files of the visitor, or those of the staff.
func UseOf(files []File, visitor bool) FileUse {
	var u FileUse
	for _, f := range files {
		u.Fetches = max(u.Fetches, f.Fetches)
		if (f.No == VisitorNo) == visitor {
			u.Files++
			u.Size += f.Size
		}
	}
	return u
}

// Admit says whether one side may share a file of a size now, before anything
// is known about the rest of it. With size 0 it says whether any could be.
// present is whether somebody of the staff is in the chat.
func (r FileRules) Admit(use FileUse, visitor, present bool, size int64) error {
	switch {
	case !r.Enabled():
		return Refuse(Unknown, "no files are taken here")
	case visitor && r.NeedAgent && !present:
		return Refuse(Conflict, "nobody is there yet who could take a file")
	case use.Files >= r.MaxFiles:
		return RefuseOver(TooMany, "there are too many files", int64(r.MaxFiles))
	case size > r.MaxFileSize:
		return RefuseOver(TooLarge, "the file is too large", r.MaxFileSize)
	case use.Size+size > r.MaxTotalSize:
		return RefuseOver(TooLarge, "the files are too large together", r.MaxTotalSize)
	}
	return nil
}

// file decides about files.
func (d *decider) file(a Action) error {
	if f, ok := a.(Fetch); ok && d.by.Visitor && !d.s.Visitor().Present {
		_, err := d.fetch(f) // for the visitor the chat is over
		return err
	}
	p, err := d.speaker()
	if err != nil {
		return err
	}
	switch a := a.(type) {
	case Share:
		return d.share(p, a)
	case Unshare:
		f, ok := FindFile(d.s.Files, a.File)
		switch {
		case !ok:
			return Refuse(NotFound, "there is no such file")
		case d.by.Visitor && f.No != p.No:
			return Refuse(Forbidden, "the file is somebody else's")
		}
		d.emit(Unshared{No: p.No, File: f.ID})
	case Fetch:
		f, err := d.fetch(a)
		if err != nil {
			return err
		}
		d.emit(Fetched{No: p.No, File: f.ID})
	}
	return nil
}

func (d *decider) share(p Participant, a Share) error {
	if err := d.s.Rules.Files.Admit(UseOf(d.s.Files, p.No == VisitorNo), p.No == VisitorNo, len(d.s.Agents()) > 0, a.Size); err != nil {
		return err
	}
	if id, err := ParseFileID(string(a.File)); err != nil || id != a.File || a.Size <= 0 || a.Name == "" || a.Type == "" {
		return Refuse(Invalid, "the file is empty, or something about it is missing")
	}
	if _, there := FindFile(d.s.Files, a.File); there {
		return Refuse(Conflict, "there is a file of that id")
	}
	for _, s := range []string{a.Name, a.Type} {
		if err := checkText(s, MaxName, "the file's name or type"); err != nil {
			return err
		}
	}
	if len(a.Description) > MaxSubject || !utf8.ValidString(a.Description) {
		return Refuse(TooLong, "the description is too long")
	}
	mask := d.s.Rules.Mask
	d.emit(Shared{No: p.No, File: a.File, Name: mask.Text(a.Name), Size: a.Size, Type: a.Type, Description: mask.Text(a.Description)})
	return nil
}

// fetch finds a file that the visitor may load once more.
func (d *decider) fetch(a Fetch) (File, error) {
	f, ok := FindFile(d.s.Files, a.File)
	switch {
	case !d.by.Visitor:
		return File{}, Refuse(Forbidden, "only the visitor's loading is counted")
	case !ok:
		return File{}, Refuse(NotFound, "there is no such file")
	case f.Fetches >= d.s.Rules.Files.MaxFetches:
		return File{}, RefuseOver(TooOften, "the file has been loaded too often", int64(d.s.Rules.Files.MaxFetches))
	}
	return f, nil
}

// applyFile folds a fact about a file in. The list is made anew, because
// summaries share it.
func (s *State) applyFile(f Fact) {
	switch f := f.(type) {
	case Shared:
		s.Files = append(slices.Clone(s.Files), File{ID: f.File, No: f.No, Name: f.Name, Size: f.Size, Type: f.Type})
	case Unshared:
		s.Files = slices.DeleteFunc(slices.Clone(s.Files), func(x File) bool { return x.ID == f.File })
	case Fetched:
		s.Files = slices.Clone(s.Files)
		for i := range s.Files {
			if s.Files[i].ID == f.File {
				s.Files[i].Fetches++
			}
		}
	}
}
