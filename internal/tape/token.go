package tape

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Sorts of tokens. Those of the first group stand for values that the server
// gives out and the client brings back.
const (
	Key, Session, Chat, User, Alias, FileID, Cookie = "key", "client", "chat", "user", "alias", "file", "cookie"

	secret  = "auth"    // credentials of the site's own
	device  = "device"  // ids of devices
	text    = "text"    // any other string
	email   = "email"   // a string that looks like an e-mail address
	address = "url"     // one that looks like an address of the web
	digits  = "digits"  // one of digits only
	blank   = "blank"   // one of spaces only
	number  = "number"  // a JSON number
	moment  = "time"    // a JSON number that is a time; they are not told apart
	date    = "date"    // a string that is a time; likewise
	field   = "field"   // the name of a field
	word    = "word"    // a string where one of a list is expected
	id      = "id"      // a Bayeux id
	channel = "channel" // a channel
	step    = "path"    // a part of a path
	service = "service" // a service whose name is none
)

// Token is a token, taken apart.
type Token struct {
	Sort   string
	Number int
	Length int  // about how many bytes a string had; -1 if that is not kept
	Wide   bool // a text with characters beyond ASCII
}

// Given says whether the value comes from the server.
func (t Token) Given() bool {
	switch t.Sort {
	case Key, Session, Chat, User, Alias, FileID, Cookie:
		return true
	}
	return false
}

// Numeric says whether the value was a JSON number.
func (t Token) Numeric() bool { return t.Sort == number || t.Sort == moment }

var tokenForm = regexp.MustCompile(`^([a-z]+)-([0-9]{1,9})(?:\(([0-9]{1,9})(u?)\))?$`)

// ParseToken takes a token apart; ok is false if it is none.
func ParseToken(s string) (t Token, ok bool) {
	m := tokenForm.FindStringSubmatch(s)
	if m == nil {
		return Token{}, false
	}
	t = Token{Sort: m[1], Length: -1, Wide: m[4] != ""}
	t.Number, _ = strconv.Atoi(m[2]) // at most nine digits
	if m[3] != "" {
		t.Length, _ = strconv.Atoi(m[3])
	}
	return t, true
}

// String is the token as it is written.
func (t Token) String() string {
	s := t.Sort + "-" + strconv.Itoa(t.Number)
	if t.Length >= 0 {
		wide := ""
		if t.Wide {
			wide = "u"
		}
		s += fmt.Sprintf("(%d%s)", t.Length, wide)
	}
	return s
}

// MaxTokens bounds how many values a [Masker] tells apart; its table then has
// about 100 MB.
const MaxTokens = 1 << 20

// Masker makes tokens. It belongs to one goroutine.
type Masker struct {
	key    [32]byte // never written
	known  map[[16]byte]int
	counts map[string]int
}

// NewMasker returns a masker that knows no values.
func NewMasker() *Masker {
	m := &Masker{known: make(map[[16]byte]int), counts: make(map[string]int)}
	_, _ = rand.Read(m.key[:]) // never fails
	return m
}

// Full says that the masker tells apart as many values as it may. It goes on
// working, and its table goes on growing.
func (m *Masker) Full() bool { return len(m.known) >= MaxTokens }

// number is the number of a value among those of its sort.
func (m *Masker) number(sort, value string) int {
	h := hmac.New(sha256.New, m.key[:])
	h.Write([]byte(sort))
	h.Write([]byte{0})
	h.Write([]byte(value))
	var digest [16]byte
	copy(digest[:], h.Sum(nil))
	n, ok := m.known[digest]
	if !ok {
		m.counts[sort]++
		n = m.counts[sort]
		m.known[digest] = n
	}
	return n
}

// plain is a token without a length. The empty string stays what it is: that
// there is nothing is shape.
func (m *Masker) plain(sort, value string) string {
	if value == "" {
		return ""
	}
	return Token{Sort: sort, Number: m.number(sort, value), Length: -1}.String()
}

var (
	looksLikeEmail   = regexp.MustCompile(`^[^\s@]+@[^\s@]+\.[^\s@]+$`)
	looksLikeAddress = regexp.MustCompile(`^(?i:https?)://[^\s/]+`)
)

// text is the token of a text.
func (m *Masker) text(s string) string {
	if s == "" {
		return ""
	}
	sort := text
	switch {
	case strings.TrimSpace(s) == "":
		sort = blank
	case strings.Trim(s, "0123456789") == "":
		sort = digits
	case looksLikeEmail.MatchString(s):
		sort = email
	case looksLikeAddress.MatchString(s):
		sort = address
	}
	wide := sort == text && strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0
	return Token{Sort: sort, Number: m.number(sort, s), Length: lengthClass(len(s)), Wide: wide}.String()
}

// lengthClass is about how long a string is: rounded up while it is short, so
// that a word does not show its length, and down to two digits where limits
// begin to matter.
func lengthClass(n int) int {
	switch {
	case n == 0:
		return 0
	case n <= 16:
		return (n + 3) / 4 * 4
	case n <= 1024:
		for size := 16; ; size *= 2 {
			if n <= size*3/2 {
				return size * 3 / 2
			}
			if n <= size*2 {
				return size * 2
			}
		}
	}
	unit := 1
	for n/unit >= 100 {
		unit *= 10
	}
	return n / unit * unit
}
