package desk

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/staff"
)

// request sends a request to the REST side and returns the answer.
func (h *fixture) request(method, body string, change func(*http.Request)) *http.Response {
	h.t.Helper()
	mux := http.NewServeMux()
	h.desk.Register(mux)
	r := httptest.NewRequest(method, "http://desk.example/api/v1/session", strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return w.Result()
}

const goodSignIn = `{"login":"anna","password":"` + secret + `"}`

func errorCode(t *testing.T, r *http.Response) string {
	t.Helper()
	var body struct {
		Error struct{ Code, Message string }
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.Error.Message == "" {
		t.Errorf("the error's body is %+v (%v)", body, err)
	}
	return body.Error.Code
}

func keep(c *http.Cookie) func(*http.Request) {
	return func(r *http.Request) { r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value}) }
}

func TestSignInAndOut(t *testing.T) {
	inBubble(t, func(h *fixture) {
		r := h.request("POST", goodSignIn, nil)
		var body any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.StatusCode != 200 {
			t.Fatalf("signing in says %d (%v)", r.StatusCode, err)
		}
		same(t, "body", body, `{"agent":{"id":1,"login":"anna","name":"Anna","role":"agent","capacity":4}}`)
		cookies := r.Cookies()
		if len(cookies) != 2 || cookies[1].Name != "HALLEY_BROWSER" {
			t.Fatalf("got the cookies %v, want two, the second of the browser", cookies)
		}
		c := cookies[0]
		if c.Name != "HALLEY_DESK" || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Secure || c.MaxAge <= 0 {
			t.Errorf("the cookie is %+v", c)
		}
		if r.Header.Get("Cache-Control") != "no-store" {
			t.Error("the answer may be kept")
		}
		if r := h.request("GET", "", keep(c)); r.StatusCode != 200 {
			t.Errorf("asking who it is says %d", r.StatusCode)
		}
		if r := h.request("GET", "", nil); r.StatusCode != 401 || errorCode(t, r) != "unauthorized" {
			t.Errorf("without a cookie it says %d", r.StatusCode)
		}
		r = h.request("DELETE", "", keep(c))
		if gone := r.Cookies(); r.StatusCode != 204 || len(gone) != 1 || gone[0].MaxAge >= 0 {
			t.Errorf("signing out says %d, cookies %v", r.StatusCode, gone)
		}
		if r := h.request("GET", "", keep(c)); r.StatusCode != 401 {
			t.Errorf("afterwards it says %d", r.StatusCode)
		}
		if r := h.request("DELETE", "", keep(c)); r.StatusCode != 204 {
			t.Errorf("signing out again says %d", r.StatusCode)
		}
	})
}

func TestSignInRefuses(t *testing.T) {
	inBubble(t, func(h *fixture) {
		origin := func(o ...string) func(*http.Request) {
			return func(r *http.Request) { r.Header["Origin"] = o }
		}
		site := func(s string) func(*http.Request) {
			return func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", s) }
		}
		kind := func(k string) func(*http.Request) {
			return func(r *http.Request) { r.Header.Set("Content-Type", k) }
		}
		for name, c := range map[string]struct {
			body   string
			change func(*http.Request)
			status int
			code   string
		}{
			"fine":                  {goodSignIn, nil, 200, ""},
			"own origin":            {goodSignIn, origin("http://desk.example"), 200, ""},
			"own origin behind TLS": {goodSignIn, origin("https://desk.example"), 200, ""},
			"with a charset":        {goodSignIn, kind("application/json; charset=utf-8"), 200, ""},
			"more than is known":    {`{"login":"anna","password":"` + secret + `","x":1}`, nil, 200, ""},
			"from the same site":    {goodSignIn, site("same-site"), 403, "forbidden"},
			"from another site":     {goodSignIn, site("cross-site"), 403, "forbidden"},
			"foreign origin":        {goodSignIn, origin("http://evil.example"), 403, "forbidden"},
			"other port":            {goodSignIn, origin("http://desk.example:81"), 403, "forbidden"},
			"no origin":             {goodSignIn, origin("null"), 403, "forbidden"},
			"two origins":           {goodSignIn, origin("http://desk.example", "http://evil.example"), 403, "forbidden"},
			"a form":                {goodSignIn, kind("text/plain"), 400, "invalid"},
			"no kind":               {goodSignIn, kind(""), 400, "invalid"},
			"no body":               {"", kind("application/json"), 400, "invalid"},
			"not JSON":              {"login=anna", nil, 400, "invalid"},
			"trailing":              {goodSignIn + "x", nil, 400, "invalid"},
			"twice":                 {`{"login":"ben","login":"anna","password":"` + secret + `"}`, nil, 400, "invalid"},
			"other case":            {`{"Login":"anna","password":"` + secret + `"}`, nil, 400, "invalid"},
			"too large":             {`{"login":"` + strings.Repeat("x", maxBody) + `"}`, nil, 413, "too-long"},
			"wrong password":        {`{"login":"anna","password":"wrong"}`, nil, 401, "unauthorized"},
			"nobody":                {`{"login":"nobody","password":"wrong"}`, nil, 401, "unauthorized"},
			"a very long password":  {`{"login":"anna","password":"` + strings.Repeat("x", 3000) + `"}`, nil, 401, "unauthorized"},
		} {
			r := h.request("POST", c.body, c.change)
			if r.StatusCode != c.status {
				t.Errorf("%s: %d, want %d", name, r.StatusCode, c.status)
			}
			if c.code == "" {
				continue
			}
			if code := errorCode(t, r); code != c.code || len(r.Cookies()) != 0 {
				t.Errorf("%s: the code is %q, want %q", name, code, c.code)
			}
		}
	})
}

func TestSignInIsLimited(t *testing.T) {
	inBubble(t, func(h *fixture) {
		var r *http.Response
		for range 100 {
			if r = h.request("POST", `{"login":"anna","password":"wrong"}`, nil); r.StatusCode != 401 {
				break
			}
		}
		if r.StatusCode != 429 || errorCode(t, r) != "too-many" || r.Header.Get("Retry-After") == "" {
			t.Errorf("it ends with %d", r.StatusCode)
		}
		h.store.Fail(errors.New("the disk is gone"))
		if r := h.request("POST", `{"login":"ben","password":"wrong"}`, nil); r.StatusCode != 503 || errorCode(t, r) != "unavailable" {
			t.Errorf("without a store it says %d", r.StatusCode)
		}
	})
}

func TestSecureCookie(t *testing.T) {
	inBubble(t, func(h *fixture) {
		h.desk.secure = true
		if c := h.request("POST", goodSignIn, nil).Cookies(); len(c) != 2 || !c[0].Secure || !c[1].Secure {
			t.Errorf("the cookies are %v", c)
		}
	})
}

func TestAuthenticate(t *testing.T) {
	inBubble(t, func(h *fixture) {
		c := h.request("POST", goodSignIn, nil).Cookies()[0]
		ask := func(change func(*http.Request)) (any, error) {
			r := httptest.NewRequest("POST", "http://desk.example/desk/cometd", nil)
			keep(c)(r)
			change(r)
			return h.desk.Authenticate(r)
		}
		one, err := ask(func(*http.Request) {})
		if err != nil {
			t.Fatal(err)
		}
		two, err := ask(func(r *http.Request) { r.Header.Set("Origin", "http://desk.example") })
		if err != nil || one != two || one.(Principal).Staff != anna {
			t.Errorf("two requests of one browser are of %v and %v (%v)", one, two, err)
		}
		if _, err := ask(func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }); !errors.Is(err, errForeign) {
			t.Errorf("a foreign page: %v", err)
		}
		if _, err := ask(func(r *http.Request) { r.Header.Del("Cookie") }); !errors.Is(err, staff.ErrNotSignedIn) {
			t.Errorf("no cookie: %v", err)
		}
	})
}

// Signing out disconnects the browser's desks, and the agent goes offline with
// the last browser.
func TestSignOutDisconnects(t *testing.T) {
	inBubble(t, func(h *fixture) {
		open := func() (*browser, *http.Cookie) {
			c := h.request("POST", goodSignIn, nil).Cookies()[0]
			who, err := h.staff.Authenticate(h.t.Context(), c.Value)
			if err != nil {
				t.Fatal(err)
			}
			b := h.reconnect(principalOf(who))
			b.resume(nil)
			return b, c
		}
		one, first := open()
		two, second := open()
		one.must(object{"op": "ready"})
		id := h.taken(one)
		h.request("DELETE", "", keep(first))
		synctest.Wait()
		if !one.ended() || two.ended() {
			t.Errorf("ended: %v and %v, want the first only", one.ended(), two.ended())
		}
		presence := func(want chat.Presence, chats ...chat.ID) {
			t.Helper()
			s, err := h.engine.Agent(h.t.Context(), anna)
			if err != nil || s.Presence != want || !slices.Equal(s.Chats, chats) {
				t.Errorf("the agent: got %+v (%v), want %s with the chats %v", s, err, want, chats)
			}
		}
		presence(chat.Ready, id)
		before := h.summary(id)
		h.request("DELETE", "", keep(second))
		synctest.Wait()
		if !two.ended() {
			t.Error("the second is still there")
		}
		presence(chat.Offline)
		after := h.summary(id)
		if after.Phase != chat.PhaseWaiting || !after.Waiting.Equal(before.Opened) || after.Prefer != 0 {
			t.Errorf("its chat: got %+v, want waiting since %v", after, before.Opened)
		}
	})
}

// Whoever signs in at a browser takes it over from whoever was signed in there.
func TestSignInTakesOver(t *testing.T) {
	inBubble(t, func(h *fixture) {
		c := h.request("POST", goodSignIn, nil).Cookies()[0]
		if _, err := h.engine.DoAgent(h.t.Context(), anna, chat.AgentCommand{To: chat.Ready}); err != nil {
			t.Fatal(err)
		}
		if r := h.request("POST", `{"login":"ben","password":"`+secret+`"}`, keep(c)); r.StatusCode != 200 {
			t.Fatalf("ben signs in with %d", r.StatusCode)
		}
		time.Sleep(time.Millisecond)
		if r := h.request("GET", "", keep(c)); r.StatusCode != 401 {
			t.Errorf("anna's cookie says %d", r.StatusCode)
		}
		if s, err := h.engine.Agent(h.t.Context(), anna); err != nil || s.Presence != chat.Offline {
			t.Errorf("anna is %s (%v)", s.Presence, err)
		}
	})
}
