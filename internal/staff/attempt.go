package staff

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/halley-chat/halley/internal/ratelimit"
)

// Attempt is somebody's wish to sign in.
type Attempt struct {
	Login, Password string
	// Address is where the request comes from, without the port.
	Address string
	// Browser is what [Directory.Browser] made for this browser when somebody
	// signed in at it before; empty if nobody has.
	Browser string
}

// TooManyError refuses a sign-in because too many failed before it.
type TooManyError struct {
	After time.Duration // when it is worth another try
}

// Error says that there were too many attempts.
func (e *TooManyError) Error() string {
	return fmt.Sprintf("staff: too many failed sign-ins, try again in %s", e.After.Round(time.Second))
}

// How many sign-ins may fail. A login is guessed from one address, or from many;
// an address guesses many logins. Whoever floods a login or shares an office's
// address uses up these three for everybody behind them, so a browser at which
// the login has signed in before has a limit of its own.
var (
	perLoginAndAddress = ratelimit.Limit{Burst: 8, Every: 15 * time.Second}
	perLogin           = ratelimit.Limit{Burst: 60, Every: 5 * time.Second}
	perAddress         = ratelimit.Limit{Burst: 60, Every: 2 * time.Second}
	perBrowser         = ratelimit.Limit{Burst: 8, Every: 15 * time.Second}
)

// maxBuckets bounds the memory of failed sign-ins.
const maxBuckets = 30_000

// charges are what an attempt costs until it has succeeded.
func (a Attempt) charges(trusted bool) []ratelimit.Charge {
	if trusted {
		return []ratelimit.Charge{{Key: "t " + a.Login + " " + a.Browser, Limit: perBrowser}}
	}
	address := ratelimit.Network(a.Address)
	return []ratelimit.Charge{
		{Key: "b " + a.Login + " " + address, Limit: perLoginAndAddress},
		{Key: "l " + a.Login, Limit: perLogin},
		{Key: "a " + address, Limit: perAddress},
	}
}

// Browser makes the value by which a browser shows later that a login has signed
// in at it. It is no credential: it only keeps other people's failed attempts
// from counting for this browser.
func (d *Directory) Browser(login string) string {
	id := rand.Text()
	return id + "." + d.browserSum(FoldLogin(login), id)
}

// trusts says whether the value is one that [Directory.Browser] made for the
// login.
func (d *Directory) trusts(login, browser string) bool {
	id, sum, ok := strings.Cut(browser, ".")
	return ok && hmac.Equal([]byte(sum), []byte(d.browserSum(login, id)))
}

func (d *Directory) browserSum(login, id string) string {
	m := hmac.New(sha256.New, d.key)
	m.Write([]byte("browser\x00" + login + "\x00" + id))
	return hex.EncodeToString(m.Sum(nil))
}
