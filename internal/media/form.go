package media

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"

	"github.com/halley-chat/halley/internal/chat"
)

const (
	// FilePart is the name of the part that holds the file.
	FilePart = "file"
	// maxFields is how much of a form may be no file, in bytes.
	maxFields = 256 << 10
	// maxParts is how many parts a form may have.
	maxParts = 500
)

// Form is a multipart form with at most one file in it.
type Form struct {
	Values url.Values // what is no file
	// File is the file; nil if there was none. Whoever gets the form discards
	// the file in the end.
	File *Upload
}

// The refusals of forms.
var (
	ErrForm      = chat.Refuse(chat.Invalid, "the form cannot be read")
	ErrFormSize  = chat.Refuse(chat.TooLong, "the form is too long")
	ErrTwoFiles  = chat.Refuse(chat.Invalid, "there are two files in one form")
	errNoPartEnd = chat.Refuse(chat.Invalid, "the form ends too early")
)

// Multipart is the boundary of a multipart form; ok is false if a request with
// that Content-Type has another body.
func Multipart(contentType string) (boundary string, ok bool) {
	kind, parameters, err := mime.ParseMediaType(contentType)
	return parameters["boundary"], err == nil && kind == "multipart/form-data"
}

// ReadForm reads a form as a stream: its fields into memory, its file to the
// store. A part is a field whatever type it claims to have, unless it has a
// file name. Fields may come before the file and after it. admit is called with
// the fields that came before the file and says how long that may be; if it
// fails the file is not read. ReadForm reads no more than it has to: what is too
// long is refused without being read to its end.
func (s *Service) ReadForm(ctx context.Context, body io.Reader, boundary string, admit func(url.Values) (limit int64, err error)) (f *Form, err error) {
	in := &allowance{r: body, left: maxFields}
	f = &Form{Values: make(url.Values)}
	defer func() {
		if err != nil {
			err = errors.Join(in.explain(err), f.Discard())
			f = nil
		}
	}()
	parts := multipart.NewReader(in, boundary)
	for n := 0; ; n++ {
		part, err := parts.NextRawPart()
		switch {
		case errors.Is(err, io.EOF):
			return f, nil
		case err != nil:
			return f, ErrForm
		case n == maxParts:
			return f, ErrFormSize
		}
		name := part.FormName()
		switch {
		case part.FileName() == "":
			b, err := io.ReadAll(part)
			if err != nil {
				return f, ErrForm
			}
			if name != "" {
				f.Values.Add(name, string(b))
			}
		case name != FilePart:
			// A file that nobody asked for is passed over, within what is
			// allowed.
		case f.File != nil:
			return f, ErrTwoFiles
		default:
			limit, err := admit(f.Values)
			if err != nil {
				return f, err
			}
			left := in.left
			in.left += limit + maxFields
			if f.File, err = s.Receive(ctx, part.FileName(), part, limit); err != nil {
				return f, err
			}
			in.left = left
		}
	}
}

// Discard forgets the form's file unless that was kept. It may be called twice.
func (f *Form) Discard() error {
	if f == nil || f.File == nil {
		return nil
	}
	return f.File.Discard()
}

// allowance reads no more than it is allowed to.
type allowance struct {
	r    io.Reader
	left int64
	err  error
}

func (a *allowance) Read(b []byte) (int, error) {
	if a.left <= 0 {
		a.err = ErrFormSize
		return 0, a.err
	}
	if int64(len(b)) > a.left {
		b = b[:a.left]
	}
	n, err := a.r.Read(b)
	a.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		a.err = ErrForm
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			a.err = ErrFormSize
		}
		return n, err
	}
	return n, err
}

// explain is the refusal behind an error of reading the form.
func (a *allowance) explain(err error) error {
	switch {
	case a.err != nil:
		return a.err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errNoPartEnd
	}
	return err
}
