package desk

import (
	"context"
	"errors"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/staff"
)

// Cookie is the name of the cookie that keeps a browser signed in.
const Cookie = "HALLEY_DESK"

// BrowserCookie shows that the login has signed in at this browser before; see
// [staff.Directory.Browser]. It outlives signing out.
const BrowserCookie = "HALLEY_BROWSER"

// browserAge is how long a browser is known after a sign-in.
const browserAge = 180 * 24 * time.Hour

// maxBody is the largest body of a request for signing in, in bytes.
const maxBody = 4 << 10

// Principal is who stands behind a Bayeux session: a browser in which an agent
// is signed in. It is comparable and the same for every request of a browser.
type Principal struct {
	Staff   chat.StaffID
	Session [32]byte
	Expires time.Time // in UTC to the millisecond
}

func principalOf(who staff.SignedIn) Principal {
	// Made anew so that equal moments are equal values.
	return Principal{Staff: who.Account.ID, Session: who.Session, Expires: time.UnixMilli(who.Expires.UnixMilli()).UTC()}
}

var errForeign = errors.New("desk: a foreign origin")

// Authenticate is for bayeux.Options.Authenticate: the principal is a
// [Principal]. It fails if the request has no valid cookie, or comes from a
// page of another origin.
func (d *Desk) Authenticate(r *http.Request) (principal any, err error) {
	if foreign(r) {
		return nil, errForeign
	}
	who, err := d.signedIn(r)
	if err != nil {
		if !errors.Is(err, staff.ErrNotSignedIn) {
			d.complain("authenticate", err)
		}
		return nil, err
	}
	return principalOf(who), nil
}

// foreign says whether a page of another origin made the request. Browsers say
// so in Origin, and newer ones in Sec-Fetch-Site as well; what is no browser
// says nothing and has no cookie that a page could misuse.
func foreign(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return true
	}
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return false
	}
	u, err := url.Parse(origins[0])
	return err != nil || len(origins) > 1 || (u.Scheme != "http" && u.Scheme != "https") || !strings.EqualFold(u.Host, r.Host)
}

// signedIn is who is signed in at the browser of a request.
func (d *Desk) signedIn(r *http.Request) (staff.SignedIn, error) {
	c, err := r.Cookie(Cookie)
	if err != nil {
		return staff.SignedIn{}, staff.ErrNotSignedIn
	}
	return d.staff.Authenticate(r.Context(), c.Value)
}

// Register mounts /api/v1/session, and what is below /api/v1/chats.
func (d *Desk) Register(mux *http.ServeMux) {
	const path = "/api/v1/session"
	mux.HandleFunc("POST "+path, d.own(d.signIn))
	mux.HandleFunc("GET "+path, d.own(d.whoAmI))
	mux.HandleFunc("DELETE "+path, d.own(d.signOut))
	d.registerFiles(mux)
}

// own wraps a handler with what all of them need: pages of other origins are
// refused, and answers are not kept.
func (d *Desk) own(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if foreign(r) {
			answer(w, http.StatusForbidden, refused(refusal{"forbidden", "this page may not do that"}))
			return
		}
		h(w, r)
	}
}

type sessionAnswer struct {
	Agent accountShape `json:"agent"`
}

type refusedAnswer struct {
	Error refusal `json:"error"`
}

func refused(r refusal) refusedAnswer { return refusedAnswer{r} }

func answer(w http.ResponseWriter, status int, shape any) {
	body, err := json.Marshal(shape)
	if err != nil {
		http.Error(w, "that did not work", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // whoever went away misses the answer
}

func (d *Desk) fail(w http.ResponseWriter, what string, err error) {
	status, r, told := statusOf(err)
	if !told && !errors.Is(err, context.Canceled) {
		d.complain(what, err)
	}
	var tooMany *staff.TooManyError
	if errors.As(err, &tooMany) {
		w.Header().Set("Retry-After", strconv.Itoa(int(tooMany.After/time.Second)+1))
	}
	answer(w, status, refused(r))
}

func (d *Desk) signIn(w http.ResponseWriter, r *http.Request) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		answer(w, http.StatusBadRequest, refused(refusal{"invalid", "the body must be application/json"}))
		return
	}
	var in struct {
		Login    string `json:"login"`
		Password string `json:"password"`
	}
	err := json.UnmarshalRead(http.MaxBytesReader(w, r.Body, maxBody), &in)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		answer(w, http.StatusRequestEntityTooLarge, refused(refusal{"too-long", "the body is too long"}))
		return
	case err != nil || in.Login == "" || in.Password == "":
		answer(w, http.StatusBadRequest, refused(refusal{"invalid", "a login and a password are needed"}))
		return
	}
	address, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		address = r.RemoteAddr
	}
	at := staff.Attempt{Login: in.Login, Password: in.Password, Address: address}
	if c, err := r.Cookie(BrowserCookie); err == nil {
		at.Browser = c.Value
	}
	token, who, err := d.staff.SignIn(r.Context(), at)
	if err != nil {
		d.fail(w, "sign in", err)
		return
	}
	// The browser forgets who was signed in before, so nobody else may keep it.
	if before, err := d.signedIn(r); err == nil {
		if err := d.leave(r.Context(), before); err != nil {
			d.complain("sign out", err)
		}
	}
	http.SetCookie(w, d.cookie(r, Cookie, token, int(time.Until(who.Expires)/time.Second)))
	http.SetCookie(w, d.cookie(r, BrowserCookie, d.staff.Browser(who.Account.Login), int(browserAge/time.Second)))
	answer(w, http.StatusOK, sessionAnswer{accountOf(who.Account)})
}

func (d *Desk) cookie(r *http.Request, name, value string, age int) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: age, HttpOnly: true,
		Secure: d.secure || r.TLS != nil, SameSite: http.SameSiteStrictMode,
	}
}

func (d *Desk) whoAmI(w http.ResponseWriter, r *http.Request) {
	who, err := d.signedIn(r)
	if err != nil {
		d.fail(w, "authenticate", err)
		return
	}
	answer(w, http.StatusOK, sessionAnswer{accountOf(who.Account)})
}

func (d *Desk) signOut(w http.ResponseWriter, r *http.Request) {
	who, err := d.signedIn(r)
	if err == nil {
		err = d.leave(r.Context(), who)
	}
	if err != nil && !errors.Is(err, staff.ErrNotSignedIn) {
		d.fail(w, "sign out", err)
		return
	}
	http.SetCookie(w, d.cookie(r, Cookie, "", -1))
	w.WriteHeader(http.StatusNoContent)
}

// leave forgets a session, disconnects its desks, and takes the agent offline and
// out of its chats if no other browser of it is signed in. What fails of the latter
// is done when the agent has been without a desk for too long.
func (d *Desk) leave(ctx context.Context, who staff.SignedIn) error {
	last, err := d.staff.SignOut(ctx, who)
	if err != nil {
		return err
	}
	for _, c := range d.all() {
		if c.who.Session == who.Session {
			c.conn.Disconnect()
			c.close()
		}
	}
	if !last {
		return nil
	}
	res, err := d.engine.DoAgent(ctx, who.Account.ID, chat.AgentCommand{To: chat.Offline})
	if err != nil {
		return err
	}
	return d.handBack(ctx, res.State, chat.LeftSignedOut)
}
