package media_test

import (
	"bytes"
	"io"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/media"
	"github.com/halley-chat/halley/internal/media/mediatest"
)

// part is one part of a form with the boundary b.
func part(disposition, body string) string {
	return "--b\r\nContent-Disposition: form-data; " + disposition + "\r\nContent-Type: application/octet-stream\r\n\r\n" + body + "\r\n"
}

const end = "--b--\r\n"

func admit(limit int64) func(url.Values) (int64, error) {
	return func(url.Values) (int64, error) { return limit, nil }
}

// Fields come before the file and after it, with and without types.
func TestForm(t *testing.T) {
	s := media.NewService(mediatest.NewStore(), quiet)
	var before url.Values
	body := part(`name="operation"`, "fileUpload") + part(`name="file"; filename="bill.png"`, png) + part(`name="secureKey"`, "K") +
		part(`name="other"; filename="x"`, "passed over") + part(`name="userData[file-description]"`, "the bill") + end
	f, err := s.ReadForm(t.Context(), strings.NewReader(body), "b", func(v url.Values) (int64, error) {
		before = v
		return 1000, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Discard() }()
	if f.File == nil || f.File.Name != "bill.png" || f.File.Size != int64(len(png)) || before.Get("operation") != "fileUpload" {
		t.Errorf("the file is %+v, before it came %v", f.File, before)
	}
	want := "operation=fileUpload&secureKey=K&userData%5Bfile-description%5D=the+bill"
	if got := f.Values.Encode(); got != want {
		t.Errorf("the fields are %s", got)
	}
}

func TestFormRefusals(t *testing.T) {
	store := mediatest.NewStore()
	s := media.NewService(store, quiet)
	file := part(`name="file"; filename="a"`, "hello")
	for name, c := range map[string]struct {
		body string
		want chat.Kind
	}{
		"no end":          {part(`name="a"`, "b"), chat.Invalid},
		"cut off":         {file[:len(file)-4], chat.Invalid},
		"two files":       {file + file + end, chat.Invalid},
		"too long a file": {part(`name="file"; filename="a"`, strings.Repeat("x", 11)) + end, chat.TooLarge},
		"an empty file":   {part(`name="file"; filename="a"`, "") + end, chat.Invalid},
		"long fields":     {part(`name="a"`, strings.Repeat("x", 300<<10)) + end, chat.TooLong},
		"long headers":    {part(`name="`+strings.Repeat("x", 300<<10)+`"`, "") + end, chat.TooLong},
		"long after":      {file + part(`name="a"`, strings.Repeat("x", 300<<10)) + end, chat.TooLong},
		"a long stranger": {part(`name="b"; filename="a"`, strings.Repeat("x", 300<<10)) + end, chat.TooLong},
		"many parts":      {strings.Repeat(part(`name="a"`, ""), 501) + end, chat.TooLong},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := s.ReadForm(t.Context(), strings.NewReader(c.body), "b", admit(10))
			if f != nil || chat.KindOf(err) != c.want {
				t.Errorf("%s: got %v, %v, want no form and the kind %q", name, f, err, c.want)
			}
		})
	}
	no := chat.Refuse(chat.Forbidden, "no")
	endless := &counter{}
	f, err := s.ReadForm(t.Context(), io.MultiReader(strings.NewReader(file[:len(file)-7]), endless), "b",
		func(url.Values) (int64, error) { return 0, no })
	if f != nil || chat.KindOf(err) != chat.Forbidden || endless.n > 64<<10 {
		t.Errorf("a file that nobody wants: %v, %v after %d bytes", f, err, endless.n)
	}
	if store.Staged() != 0 {
		t.Errorf("%d files are left", store.Staged())
	}
}

// 50 MB go to the disk without being held in memory, and with a small limit
// they are cut off.
func TestFormIsAStream(t *testing.T) {
	const size = 50 << 20
	s := media.NewService(openDir(t, t.TempDir()), quiet)
	upload := func(limit int64) (f *media.Form, read int64, err error) {
		var n counter
		head := part(`name="file"; filename="a.txt"`, "")
		body := io.MultiReader(strings.NewReader(head[:len(head)-2]), io.LimitReader(&n, size), strings.NewReader("\r\n"+part(`name="secureKey"`, "K")+end))
		f, err = s.ReadForm(t.Context(), body, "b", admit(limit))
		return f, n.n, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f, _, err := upload(size)
	runtime.ReadMemStats(&after)
	if err != nil || f.File.Size != size || f.Values.Get("secureKey") != "K" {
		t.Fatal(err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("%d bytes were allocated for %d", used, size)
	}
	if err := f.Discard(); err != nil {
		t.Error(err)
	}
	if _, read, err := upload(100_000); chat.KindOf(err) != chat.TooLarge || read > 200_000 {
		t.Errorf("%v after %d bytes", err, read)
	}
}

// Whatever comes, a form is read or refused, and nothing is left over.
func FuzzForm(f *testing.F) {
	for _, body := range []string{
		part(`name="a"`, "b") + part(`name="file"; filename="a.png"`, png) + end,
		part(`name="file"; filename*=UTF-8''a%2fb.png`, png) + part(`name="secureKey"`, "K") + end,
		part(`name="file"`, "x") + end, part(`name=file; filename=""`, "x") + end, part(`filename="x"`, "x") + end,
		"--b\r\n\r\nx\r\n--b--", "--b\nContent-Disposition: form-data; name=a\n\nx\n--b--", "\r\n--b--\r\ntrailing",
		"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=41\r\n--b--",
		strings.Repeat("--b\r\n", 100), "--b--",
	} {
		f.Add([]byte(body), int64(100))
	}
	store := mediatest.NewStore()
	s := media.NewService(store, quiet)
	f.Fuzz(func(t *testing.T, body []byte, limit int64) {
		limit = min(max(limit, 0), 1<<20)
		form, err := s.ReadForm(t.Context(), bytes.NewReader(body), "b", admit(limit))
		switch {
		case err != nil:
			if form != nil || chat.KindOf(err) == 0 {
				t.Errorf("refused with %v, %v", form, err)
			}
		case form.File != nil:
			name := form.File.Name
			if form.File.Size > limit || form.File.Size <= 0 || name == "" || len(name) > chat.MaxName || strings.ContainsAny(name, "/\\\r\n\x00\"") {
				t.Errorf("%d bytes under the name %q", form.File.Size, name)
			}
			_ = form.File.Check(t.Context(), policy(media.Kinds()...), 1)
		}
		if err := form.Discard(); err != nil || store.Staged() != 0 {
			t.Errorf("%d files are left, %v", store.Staged(), err)
		}
	})
}
