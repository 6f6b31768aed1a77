package tape

import (
	"bytes"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
)

// Request is a request as it came in, as far as it is needed.
type Request struct {
	Method string
	URL    *url.URL
	Header http.Header
	Body   []byte // nil if it was not kept
	Cut    bool   // the body was too long to be kept
	Size   int64  // of the body, in bytes
	Parts  []Part // of a body of several parts
}

// Part is one part of a multipart body.
type Part struct {
	Name     string
	File     bool // it has a file name; then Value is nil
	FileName string
	Type     string
	Value    []byte
	Size     int64 // in bytes
}

// Response is an answer as it came in, as far as it is needed.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	Cut    bool
	Size   int64
}

// Route says how a request talks to the server, by its path, and which of the
// path's parts count: those from "cometd" or from "2" on.
func Route(r *http.Request) (via string, steps []string) {
	return route(r.Method, r.URL, r.Header)
}

func route(method string, u *url.URL, header http.Header) (via string, steps []string) {
	parts := strings.Split(u.Path, "/")
	for i, p := range parts {
		switch {
		case p == "cometd" && (i == 0 || parts[i-1] != "desk"): // Halley's desk has one of its own
			via := bayeuxVia(method, header)
			if via == CallbackPolling && !strings.Contains(u.RawQuery, "message=") {
				continue // a directory of that name
			}
			return via, parts[i:]
		case p == "2" && i+1 < len(parts) && parts[i+1] == "chat-ntf":
			return Files, parts[i:]
		case p == "2" && i+2 < len(parts) && parts[i+1] == "chat":
			return REST, parts[i:]
		}
	}
	return Other, nil
}

func bayeuxVia(method string, header http.Header) string {
	switch {
	case strings.EqualFold(header.Get("Upgrade"), "websocket"):
		return WebSocket
	case method == http.MethodGet:
		return CallbackPolling
	}
	return LongPolling
}

// Request makes a line of a request.
func (m *Masker) Request(r Request) Line {
	via, steps := route(r.Method, r.URL, r.Header)
	l := Line{Kind: KindRequest, From: Client, Via: via, Method: "OTHER", Size: about(r.Size)}
	if methods[r.Method] {
		l.Method = r.Method
	}
	if via == Other {
		l.Hidden = hiddenOther
		return l
	}
	l.Path = m.path(via, steps)
	l.Headers = m.headers(r.Header, "Origin", "Content-Type")
	for _, c := range (&http.Request{Header: r.Header}).Cookies() {
		m.cookie(&l, c)
	}
	m.query(&l, r.URL.RawQuery)
	switch {
	case via == WebSocket || r.Size == 0 && len(r.Parts) == 0:
	case r.Cut:
		l.Hidden = hiddenLong
	case via == LongPolling:
		m.bayeux(&l, r.Body)
	default:
		m.form(&l, r)
	}
	return l
}

// Response makes a line of the answer to a request.
func (m *Masker) Response(via string, r Response) Line {
	l := Line{Kind: KindResponse, From: Server, Via: via, Status: r.Status, Size: about(r.Size)}
	if via == Other {
		return l
	}
	l.Headers = m.headers(r.Header, "Content-Type", "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Content-Disposition")
	for _, c := range (&http.Response{Header: r.Header}).Cookies() {
		m.cookie(&l, c)
	}
	switch {
	case r.Size == 0:
	case r.Cut:
		l.Hidden = hiddenLong
	case l.Headers["Content-Disposition"] != "":
		l.Hidden = hiddenFile // also if it has the form of an answer
	case via == CallbackPolling:
		from, to := bytes.IndexByte(r.Body, '('), bytes.LastIndexByte(r.Body, ')')
		if from < 0 || to < from {
			l.Hidden = hiddenBroken
			break
		}
		m.bayeux(&l, r.Body[from+1:to])
	case via == REST || via == Files:
		m.rest(&l, r.Body)
	default:
		m.bayeux(&l, r.Body)
	}
	return l
}

// Frame makes a line of a message over a WebSocket.
func (m *Masker) Frame(from string, payload []byte, size int64, cut bool) Line {
	l := Line{Kind: KindFrame, From: from, Via: WebSocket, Size: about(size)}
	if cut {
		l.Hidden = hiddenLong
		return l
	}
	m.bayeux(&l, payload)
	return l
}

// about is a size that does not tell how long a single text in it was.
func about(size int64) int64 { return int64(lengthClass(int(size))) }

// path masks the parts of a path.
func (m *Masker) path(via string, steps []string) string {
	masked := make([]string, len(steps))
	for i, s := range steps {
		switch {
		case s == "":
		case i == 0, i == 1 && via != LongPolling && via != CallbackPolling && via != WebSocket:
			masked[i] = s // what the route was found by
		case via == REST && i == 2:
			masked[i] = m.service(s)
		case via == REST && i == 3 && !chatSteps[s]:
			masked[i] = m.plain(Chat, s)
		case via == REST && i == 5 && steps[4] == "file" && !chatSteps[s]:
			masked[i] = m.plain(FileID, s)
		case via == REST && chatSteps[s], via != REST && via != Files && cometdSteps[s]:
			masked[i] = s
		default:
			masked[i] = m.plain(step, s)
		}
	}
	return strings.Join(masked, "/")
}

// headers keeps the headers of the names, and that there were credentials.
func (m *Masker) headers(h http.Header, keep ...string) map[string]string {
	kept := make(map[string]string)
	for _, name := range keep {
		v := h.Get(name)
		switch {
		case v == "":
			continue
		case name == "Content-Type":
			kind, _, err := mime.ParseMediaType(v)
			if err != nil || !mediaTypes[kind] {
				kind = "other"
			}
			v = kind
		case name == "Content-Disposition":
			if v, _, _ = strings.Cut(v, ";"); v != "attachment" && v != "inline" {
				v = "other"
			}
		case v == "*" || v == "null" || booleans[v]:
		default:
			v = m.text(v)
		}
		kept[name] = v
	}
	for _, name := range secretHeaders {
		if v := h.Get(name); v != "" {
			kept[name] = m.plain(secret, v)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return kept
}

func (m *Masker) cookie(l *Line, c *http.Cookie) {
	if l.Cookies == nil {
		l.Cookies = make(map[string]string)
	}
	name := c.Name
	if !cookieNames[name] {
		name = m.plain(field, name)
	}
	l.Cookies[name] = m.plain(Cookie, c.Value)
}

// query masks a query: Bayeux messages of callback-polling, or fields.
func (m *Masker) query(l *Line, raw string) {
	if raw == "" {
		return
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		l.Hidden = hiddenBroken
		return
	}
	if body := values.Get("message"); l.Via == CallbackPolling && body != "" {
		m.bayeux(l, []byte(body))
		values.Del("message")
	}
	l.Query = m.fields(values)
}

// form puts the fields of a body into a line, however they were sent.
func (m *Masker) form(l *Line, r Request) {
	if body := bytes.TrimLeft(r.Body, " \t\r\n"); len(body) > 0 && body[0] == '{' {
		l.Form = "json"
		m.rest(l, body)
		return
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "multipart/form-data" {
		l.Form = "multipart"
		for _, p := range r.Parts {
			f := Field{Name: m.fieldName(p.Name)}
			if p.File {
				f.File = m.file(p)
			} else {
				f.Value = m.formValue(p.Name, string(p.Value))
			}
			l.Fields = append(l.Fields, f)
		}
		return
	}
	values, err := url.ParseQuery(string(r.Body))
	if err != nil {
		l.Hidden = hiddenBroken
		return
	}
	l.Form = "urlencoded"
	l.Fields = m.fields(values)
}

func (m *Masker) file(p Part) *File {
	f := &File{Name: m.text(p.FileName), Size: p.Size}
	switch ext := strings.ToLower(strings.TrimPrefix(path.Ext(p.FileName), ".")); {
	case extensions[ext]:
		f.Ext = ext
	case ext != "":
		f.Ext = OtherExt // a server judges a name with one differently from a name without
	}
	if kind, _, err := mime.ParseMediaType(p.Type); err == nil && mediaTypes[kind] {
		f.Type = kind
	}
	return f
}

// fields masks fields, in the order of their names.
func (m *Masker) fields(values url.Values) []Field {
	var list []Field
	for _, name := range sortedKeys(values) {
		for _, v := range values[name] {
			list = append(list, Field{Name: m.fieldName(name), Value: m.formValue(name, v)})
		}
	}
	return list
}

// inner is the name within userData[name], or the name itself.
func inner(name string) (string, bool) {
	rest, ok := strings.CutPrefix(name, "userData[")
	if !ok || !strings.HasSuffix(rest, "]") {
		return name, false
	}
	return strings.TrimSuffix(rest, "]"), true
}

func (m *Masker) fieldName(name string) string {
	if in, nested := inner(name); nested {
		return "userData[" + m.name(in) + "]"
	}
	return m.name(name)
}

// formValue masks a form's field; a string of JSON is masked within.
func (m *Masker) formValue(name, v string) any {
	name, nested := inner(name)
	if name == "eventAttributes" || name == "userData" || name == "auth" {
		if o, err := parse([]byte(v)); err == nil {
			if o, ok := o.(map[string]any); ok {
				return m.value(name, o, "")
			}
		}
	}
	if sorts[name] == secret {
		return m.plain(secret, v)
	}
	over := own
	if !nested && formNumbers[name] {
		over = ""
	}
	return m.string(name, v, over)
}
