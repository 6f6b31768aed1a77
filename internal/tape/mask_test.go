package tape

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// secrets makes values that must not be on a tape, and remembers them. Each has
// a part that nothing else has.
type secrets struct {
	t     *rapid.T
	given []string
}

func (s *secrets) draw(label string) string {
	mark := fmt.Sprintf("Zq%03dXv", len(s.given))
	forms := []string{
		"%s", "Anna %s", "%s@bank.example", "https://bank.example/%s?x=1", "  %s\n<b>", "Grüße %s 你好", "402::%s", "text-3(12)%s", "Message %s",
		"/service/chatV2/%s 0123456789", "key-%s", `{"operation":"%s"}`, "555%s123456789", "true%s",
	}
	v := fmt.Sprintf(rapid.SampledFrom(forms).Draw(s.t, label), mark)
	s.given = append(s.given, mark)
	return v
}

// value is any JSON value full of secrets, in fields that are known and in
// fields that are not.
func (s *secrets) value(depth int) any {
	switch n := rapid.IntRange(0, 9).Draw(s.t, "sort"); {
	case n < 5 || depth == 0:
		return s.draw("text")
	case n < 6:
		number := fmt.Sprintf("77%08d", 10_000_000+len(s.given))
		s.given = append(s.given, number)
		return json.Number(number)
	case n < 7:
		return []any{s.value(depth - 1), s.value(depth - 1)}
	case n < 8:
		return rapid.SampledFrom([]any{true, false, nil, "", json.Number("3")}).Draw(s.t, "plain")
	}
	return s.object(depth - 1)
}

func (s *secrets) object(depth int) map[string]any {
	o := make(map[string]any)
	for range rapid.IntRange(0, 5).Draw(s.t, "fields") {
		o[s.name()] = s.value(depth)
	}
	return o
}

func (s *secrets) name() string {
	if rapid.IntRange(0, 4).Draw(s.t, "own name") == 0 {
		return s.draw("name")
	}
	return rapid.SampledFrom(sortedKeys(names)).Draw(s.t, "known name")
}

func (s *secrets) form() url.Values {
	values := make(url.Values)
	for range rapid.IntRange(0, 5).Draw(s.t, "fields") {
		name := s.name()
		if rapid.Bool().Draw(s.t, "nested") {
			name = "userData[" + name + "]"
		}
		v := s.draw("value")
		if rapid.Bool().Draw(s.t, "JSON") {
			b, _ := json.Marshal(s.object(2))
			v = string(b)
		}
		values.Add(name, v)
	}
	return values
}

func (s *secrets) header() http.Header {
	h := make(http.Header)
	for _, name := range append([]string{"Origin", "Content-Type", "X-Other", "Content-Disposition", "Access-Control-Allow-Origin"}, secretHeaders...) {
		if rapid.Bool().Draw(s.t, name) {
			h.Set(name, strings.Map(printable, s.draw(name)))
		}
	}
	h.Add("Cookie", "BAYEUX_BROWSER="+s.cookie()+"; "+s.cookie()+"="+s.cookie())
	h.Add("Set-Cookie", s.cookie()+"="+s.cookie()+"; Path=/")
	return h
}

func (s *secrets) cookie() string {
	mark := fmt.Sprintf("Zq%03dXv", len(s.given))
	s.given = append(s.given, mark)
	return mark
}

func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return -1
	}
	return r
}

func (s *secrets) body() []byte {
	var v any = s.object(3)
	if rapid.Bool().Draw(s.t, "list") {
		v = []any{v, s.object(3)}
	}
	b, err := json.Marshal(v)
	if err != nil {
		s.t.Fatal(err)
	}
	if rapid.IntRange(0, 5).Draw(s.t, "broken") == 0 {
		b = b[:len(b)/2]
	}
	return b
}

// Whatever passes, nothing of it is on the tape but what is on the lists.
func TestNothingShows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, m := &secrets{t: t}, NewMasker()
		var out []byte
		for range rapid.IntRange(1, 4).Draw(t, "lines") {
			header := s.header()
			u := &url.URL{Path: rapid.SampledFrom([]string{
				"/" + s.cookie() + "/cometd/" + s.cookie(), "/genesys/cometd", "/genesys/2/chat/support/" + s.cookie() + "/" + s.cookie(),
				"/genesys/2/chat/support/" + s.cookie() + "/file/" + s.cookie() + "/download", "/genesys/2/chat-ntf/" + s.cookie(), "/" + s.cookie(),
				"/genesys/2/chat/support/", "/2/chat/" + s.draw("service") + "/x", "/genesys/2/chat-ntf",
			}).Draw(t, "path")}
			u.RawQuery = s.form().Encode()
			r := Request{Method: rapid.SampledFrom([]string{"GET", "POST", s.cookie()}).Draw(t, "method"), URL: u, Header: header}
			switch rapid.IntRange(0, 2).Draw(t, "body") {
			case 0:
				r.Body = s.body()
			case 1:
				r.Body = []byte(s.form().Encode())
			case 2:
				header.Set("Content-Type", "multipart/form-data; boundary="+s.cookie())
				r.Parts = []Part{
					{Name: s.name(), Value: []byte(s.draw("part"))},
					{Name: s.draw("part's name"), File: true, FileName: s.draw("file") + ".png", Type: s.draw("type"), Size: 12},
				}
			}
			r.Size = int64(len(r.Body))
			via, _ := route(r.Method, u, header)
			response := Response{Status: 200, Header: header, Body: s.body()}
			if rapid.Bool().Draw(t, "padded") {
				response.Body = []byte(s.cookie() + "(" + string(response.Body) + ")")
			}
			response.Size = int64(len(response.Body))
			for _, l := range []Line{m.Request(r), m.Response(via, response), m.Frame(Server, s.body(), 9, false), m.Frame(Client, s.body(), 9, true)} {
				var err error
				if out, err = Append(out, l); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, mark := range s.given {
			if i := strings.Index(string(out), mark); i >= 0 {
				t.Fatalf("%q shows in: …%s…", mark, out[max(i-80, 0):min(i+80, len(out))])
			}
		}
	})
}

// The same value has the same token, another one has another, and a token says
// enough to make a stand-in of the sort and about the length.
func TestTokens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := NewMasker()
		texts := rapid.SliceOfNDistinct(rapid.StringN(1, -1, 2000), 1, 20, rapid.ID[string]).Draw(t, "texts")
		seen, fills := make(map[string]string), make(map[string]string)
		for _, s := range texts {
			masked := m.text(s)
			if m.text(s) != masked {
				t.Fatalf("%q has two tokens", s)
			}
			if other, there := seen[masked]; there {
				t.Fatalf("%q and %q have one token", s, other)
			}
			seen[masked] = s
			tok, ok := ParseToken(masked)
			if !ok || tok.String() != masked {
				t.Fatalf("%q is no token", masked)
			}
			fill := tok.Fill()
			if other, there := fills[fill]; there && tok.Sort != blank && tok.Length > 4 {
				t.Fatalf("%s and %s have one stand-in, %q", masked, other, fill)
			}
			fills[fill] = masked
			again, _ := ParseToken(NewMasker().text(fill))
			if again.Sort != tok.Sort || again.Wide != tok.Wide && tok.Length > 8 {
				t.Fatalf("%s became %q, which is %s", masked, fill, again)
			}
			if n := len(fill); tok.Sort == text && !tok.Wide && n != tok.Length {
				t.Fatalf("%s became %d bytes", masked, n)
			}
		}
	})
}

func TestLengthClasses(t *testing.T) {
	for n, want := range map[int]int{0: 0, 1: 4, 4: 4, 5: 8, 16: 16, 17: 24, 25: 32, 33: 48, 1024: 1024, 1025: 1000, 16384: 16000, 20000: 20000, 99999: 99000} {
		t.Run(fmt.Sprintf("%d bytes", n), func(t *testing.T) {
			if got := lengthClass(n); got != want {
				t.Errorf("%d: %d, want %d", n, got, want)
			}
		})
	}
}

// What a tape looks like, in one example of each kind.
func TestLines(t *testing.T) {
	m := NewMasker()
	post := func(path, kind, body string) Request {
		u, err := url.Parse("http://chat.example" + path)
		if err != nil {
			t.Fatal(err)
		}
		return Request{Method: "POST", URL: u, Header: http.Header{"Content-Type": {kind}, "Authorization": {"Basic eDp5"}}, Body: []byte(body), Size: int64(len(body))}
	}
	const form, object = "application/x-www-form-urlencoded", "application/json; charset=UTF-8"
	for _, c := range []struct {
		name string
		line Line
		want string
	}{
		{
			"an operation", m.Request(post("/genesys/cometd", object,
				`[{"channel":"/service/chatV2/support","id":"7","clientId":"1abc","data":{"operation":"sendMessage","secureKey":"s3cret","message":"hello","auth":{"username":"u","password":"p"}}}]`)),
			`{"at":0,"kind":"request","from":"client","via":"long-polling","method":"POST","path":"cometd","headers":{"Authorization":"auth-1","Content-Type":"application/json"},` +
				`"messages":[{"channel":"/service/chatV2/support","clientId":"client-1","data":{"auth":{"password":"auth-2","username":"auth-3"},"message":"text-1(8)","operation":"sendMessage","secureKey":"key-1"},"id":"7"}],"size":192}`,
		},
		{
			"a notification", m.Frame(Server, []byte(`[{"channel":"/service/chatV2/support","data":{"statusCode":0,"secureKey":"s3cret","chatEnded":false,"messages":[`+
				`{"index":4,"type":"Message","text":"hello","utcTime":1432845088000,"from":{"nickname":"Jo","participantId":1,"type":"Client"}}]}}]`), 200, false),
			`{"at":0,"kind":"frame","from":"server","via":"websocket","messages":[{"channel":"/service/chatV2/support","data":{"chatEnded":false,"messages":[` +
				`{"from":{"nickname":"text-2(4)","participantId":1,"type":"Client"},"index":4,"text":"text-1(8)","type":"Message","utcTime":"time-1"}],"secureKey":"key-1","statusCode":0}}],"size":256}`,
		},
		{
			"a call", m.Request(post("/genesys/2/chat/support/0008TaFN3SE300QU/send", form, "secureKey=s3cret&message=&userId=052B&userData%5Bcolour%5D=red&transcriptPosition=4")),
			`{"at":0,"kind":"request","from":"client","via":"rest","method":"POST","path":"2/chat/support/chat-1/send","headers":{"Authorization":"auth-1","Content-Type":"application/x-www-form-urlencoded"},` +
				`"form":"urlencoded","fields":[{"name":"message","value":""},{"name":"secureKey","value":"key-1"},{"name":"transcriptPosition","value":"4"},{"name":"userData[field-1]","value":"text-3(4)"},{"name":"userId","value":"user-1"}],"size":96}`,
		},
		{
			"an error", m.Frame(Server, []byte(`{"channel":"/meta/connect","successful":false,"error":"402::Unknown client","advice":{"reconnect":"handshake"}}`), 9, false),
			`{"at":0,"kind":"frame","from":"server","via":"websocket","messages":[{"advice":{"reconnect":"handshake"},"channel":"/meta/connect","error":"402::Unknown client","successful":false}],"bare":true,"size":12}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := Append(nil, c.line)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want+"\n", string(b)); diff != "" {
				t.Errorf("%s: line (-want +got):\n%s", c.name, diff)
			}
		})
	}
}

func TestRead(t *testing.T) {
	whole := `{"tape":"halley-tape","version":1,"started":"","by":""}` + "\n" + `{"at":1,"kind":"gap","lost":3}` + "\n"
	_, lines, err := Read(strings.NewReader(whole))
	if err != nil || len(lines) != 1 || lines[0].Lost != 3 {
		t.Errorf("got %v, %v, want one line with 3 lost", lines, err)
	}
	if _, lines, err = Read(strings.NewReader(whole + `{"at":2,"ki`)); err != ErrCut || len(lines) != 1 {
		t.Errorf("cut: %v %v", lines, err)
	}
	for name, s := range map[string]string{
		"empty": "", "another file": `{"a":1}`, "a later version": `{"tape":"halley-tape","version":2}`, "broken within": whole + "{\n" + `{"at":1}` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := Read(strings.NewReader(s)); err == nil || err == ErrCut {
				t.Errorf("%s: got %v, want an error that is not ErrCut", name, err)
			}
		})
	}
}
