package conversations

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"strings"

	"github.com/halley-chat/halley/test/schema"
)

// answer is the latest answer over HTTP.
type answer struct {
	status int
	header http.Header
	body   []byte
}

var headerLine = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*: `)

// call calls an address over HTTP. Lines at the top that look like headers are
// some; the rest is the body, for form and multipart one name=value a line.
func (p *player) call(c *client, verb string, args []string, body string) error {
	if len(args) == 0 || len(args) > 2 {
		return errors.New("one path is needed, and nothing more but as=LOGIN")
	}
	web := p.web
	if len(args) == 2 {
		login, ok := strings.CutPrefix(args[1], "as=")
		if !ok {
			return fmt.Errorf("there is no flag %q", args[1])
		}
		s, err := p.seat(login)
		if err != nil {
			return err
		}
		web.Jar = s.jar
	}
	header := make(http.Header)
	for {
		first, rest, _ := strings.Cut(body, "\n")
		if !headerLine.MatchString(first) {
			break
		}
		name, value, _ := strings.Cut(first, ": ")
		header.Add(name, value)
		body = rest
	}
	body = strings.TrimPrefix(body, "\n")
	method, kind, content := http.MethodPost, "application/x-www-form-urlencoded", []byte(body)
	var err error
	switch verb {
	case "get", "delete":
		method, kind = strings.ToUpper(verb), ""
	case "form":
		content = []byte(formBody(body))
	case "multipart":
		if kind, content, err = multipartBody(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(p.ctx, method, p.url()+args[0], bytes.NewReader(content))
	if err != nil {
		return err
	}
	req.Header = header
	if kind != "" && header.Get("Content-Type") == "" {
		header.Set("Content-Type", kind)
	}
	resp, err := web.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	p.answer = &answer{resp.StatusCode, resp.Header, b}
	if err == nil && resp.Header.Get("Content-Type") == "application/json" && strings.HasPrefix(args[0], "/genesys/2/") && bytes.Contains(b, []byte(`"statusCode"`)) {
		err = schema.Response(b)
	}
	return err
}

// pairs are the lines name=value of a body, with \n for a line break.
func pairs(body string) (list [][2]string) {
	for l := range strings.Lines(body) {
		name, value, _ := strings.Cut(strings.TrimSuffix(l, "\n"), "=")
		list = append(list, [2]string{name, strings.ReplaceAll(value, `\n`, "\n")})
	}
	return list
}

func formBody(body string) string {
	var parts []string
	for _, kv := range pairs(body) {
		parts = append(parts, url.QueryEscape(kv[0])+"="+url.QueryEscape(kv[1]))
	}
	return strings.Join(parts, "&")
}

// multipartBody makes a body of parts. A name may say more about its part:
// "file;name.txt;text/plain" is a file, "key;;application/octet-stream" a value
// that claims a type. A value of a file that begins with "base64:" is decoded.
func multipartBody(body string) (kind string, content []byte, err error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, kv := range pairs(body) {
		field := append(strings.Split(kv[0], ";"), "", "")
		h := textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name="%s"`, field[0])}}
		value := []byte(kv[1])
		if field[1] != "" {
			h.Set("Content-Disposition", fmt.Sprintf(`form-data; name="%s"; filename="%s"`, field[0], field[1]))
			if text, ok := strings.CutPrefix(kv[1], "base64:"); ok {
				if value, err = base64.StdEncoding.DecodeString(text); err != nil {
					return "", nil, err
				}
			}
		}
		if field[2] != "" {
			h.Set("Content-Type", field[2])
		}
		part, err := w.CreatePart(h)
		if err == nil {
			_, err = part.Write(value)
		}
		if err != nil {
			return "", nil, err
		}
	}
	err = w.Close()
	return w.FormDataContentType(), b.Bytes(), err
}

// look looks at the latest answer over HTTP.
func (p *player) look(c *client, verb string, args []string, body string) error {
	if p.answer == nil || len(args) == 0 && verb != "header" {
		return errors.New("a call before it and a status are needed")
	}
	a := p.answer
	if verb == "header" {
		for l := range strings.Lines(body) {
			name, want, _ := strings.Cut(strings.TrimSpace(l), ": ")
			kept, diffs := match(want, a.header.Get(name), false)
			if len(diffs) > 0 {
				return fmt.Errorf("%s%s", name, strings.Join(diffs, "\n"))
			}
			keep(c.vars, kept)
		}
		return nil
	}
	if got := fmt.Sprint(a.status); got != args[0] {
		return fmt.Errorf("status: want %s, got %s\n%s", args[0], got, a.body)
	}
	if verb == "answer" && len(args) > 1 && args[1] == "raw" {
		if string(a.body) != body {
			return fmt.Errorf("want %q, got %q", body, a.body)
		}
		return nil
	}
	if verb == "answer" && body == "" {
		return nil
	}
	got, err := parseValues(string(a.body))
	if err != nil || len(got) != 1 {
		return fmt.Errorf("the answer is not JSON: %s", a.body)
	}
	if verb == "answered" {
		t, err := parseTold(args[1:], body)
		if err != nil {
			return err
		}
		kept, diffs := t.compare(got[0])
		if len(diffs) > 0 {
			return different("    "+strings.Join(append(args, t.lines...), "\n    "), t.compare, got)
		}
		keep(c.vars, kept)
		return nil
	}
	patterns, err := parseValues(body)
	if err != nil || len(patterns) != 1 {
		return fmt.Errorf("one pattern is needed: %w", err)
	}
	kept, diffs := match(patterns[0], got[0], false)
	if len(diffs) > 0 {
		return different(pretty(patterns[0]), func(v any) (map[string]string, []string) { return match(patterns[0], v, false) }, got)
	}
	keep(c.vars, kept)
	return nil
}
