package replay

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/halley-chat/halley/internal/tape"
)

// filled is what to send in the place of a value of the tape. The caller holds
// the playback's mu.
func (pb *playback) filled(s *session, name string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		o := make(map[string]any, len(v))
		for name, e := range v {
			o[name] = pb.filled(s, name, e)
		}
		return o
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = pb.filled(s, name, e)
		}
		return list
	case json.Number:
		if n, err := v.Int64(); err == nil && name == "transcriptPosition" {
			return json.Number(strconv.FormatInt(pb.position(s, n), 10))
		}
		return v
	case string:
		return pb.text(s, name, v)
	}
	return v
}

// text is what to send in the place of a string.
func (pb *playback) text(s *session, name, v string) any {
	if t, ok := tape.ParseToken(v); ok {
		switch {
		case t.Given():
			return pb.given(s, t.Sort, v)
		case t.Numeric():
			return json.Number(strconv.Itoa(t.Number))
		}
		return t.Fill()
	}
	if name == "transcriptPosition" {
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return strconv.FormatInt(pb.position(s, n), 10)
		}
	}
	if service, ok := strings.CutPrefix(v, chatChannel); ok && (name == "channel" || name == "subscription") {
		return chatChannel + pb.p.service(service)
	}
	return v
}

// given is the value that the server gave where the recorded one gave the
// token: the one that came first, second, … of its sort. If there is none yet,
// it is the latest, and the token itself if there was never any.
func (pb *playback) given(s *session, sort, token string) string {
	if sort == tape.Cookie {
		if v, ok := pb.cookies[token]; ok {
			return v
		}
		return token
	}
	for _, one := range append([]*session{s}, pb.c.sessions...) {
		i, live := slices.Index(one.recorded.given[sort], token), one.live.given[sort]
		if i >= 0 && len(live) > 0 {
			return live[min(i, len(live)-1)]
		}
	}
	return token
}

func (pb *playback) position(s *session, n int64) int64 {
	for _, one := range append([]*session{s}, pb.c.sessions...) {
		if p, ok := position(one.recorded, one.live, n); ok {
			return p
		}
	}
	return n
}

func (p *player) service(name string) string {
	if other, ok := p.services[name]; ok {
		return other
	}
	return name
}

// fields are the fields of a form or a query. The caller holds mu.
func (pb *playback) fields(s *session, list []tape.Field) [][2]string {
	var filled [][2]string
	for _, f := range list {
		if f.File != nil {
			continue
		}
		name := strings.TrimSuffix(strings.TrimPrefix(f.Name, "userData["), "]")
		var text string
		switch v := pb.filled(s, name, f.Value).(type) {
		case string:
			text = v
		case json.Number:
			text = v.String()
		case nil:
		default:
			text = encoded(v)
		}
		filled = append(filled, [2]string{f.Name, text})
	}
	return filled
}

func encoded(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(err) // of values that came from JSON, it cannot
	}
	return string(b)
}

// path is the address of a line. The caller holds mu.
func (pb *playback) path(a *action) string {
	parts := strings.Split(a.Path, "/")
	for i, s := range parts {
		if i == 2 && a.Via == tape.REST {
			parts[i] = pb.p.service(s)
		}
		if _, ok := tape.ParseToken(s); ok {
			parts[i], _ = pb.text(a.session, "", s).(string)
		}
	}
	return pb.p.base.Path + "/" + strings.Join(parts, "/")
}

// headers are those of a line. The caller holds mu.
func (pb *playback) headers(a *action) http.Header {
	h := pb.p.header.Clone()
	if a.Headers["Origin"] != "" {
		// A page of the server's own may do what any other page may.
		h.Set("Origin", or(pb.p.o.Origin, pb.p.base.Scheme+"://"+pb.p.base.Host))
	}
	r := http.Request{Header: h}
	for name, token := range a.Cookies {
		value, known := pb.cookies[token]
		if !known && name == "BAYEUX_BROWSER" {
			value, known = token, true
		}
		if known {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
	}
	return h
}
