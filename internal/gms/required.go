package gms

import (
	"net/mail"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/halley-chat/halley/internal/chat"
)

// Field is a field of a requestChat that a service may require.
type Field int

// The fields. A name is any of the three names that a visitor can have.
const (
	FirstName Field = iota + 1
	LastName
	AnyName
	EmailAddress
)

// mayOpen says whether a service takes this new chat now.
func (s Service) mayOpen(o chat.Open, r request, now time.Time) error {
	if !s.Hours.Open(now) {
		return errHours
	}
	for _, f := range s.Required {
		if err := f.check(o, r); err != nil {
			return err
		}
	}
	if email := o.Opening.Email; s.CheckEmail && email != "" && !validEmail(email) {
		return errEmail
	}
	return s.fits(o.Text)
}

// check says whether the field is filled in.
func (f Field) check(o chat.Open, r request) error {
	blank := func(s string) bool { return strings.TrimSpace(s) == "" }
	switch {
	case f == FirstName && blank(o.Opening.FirstName):
		return errFirstName
	case f == LastName && blank(o.Opening.LastName):
		return errLastName
	case f == AnyName && blank(r.text("nickname")) && blank(o.Opening.FirstName) && blank(o.Opening.LastName):
		return errName
	case f == EmailAddress && blank(o.Opening.Email):
		return errEmail
	}
	return nil
}

// validEmail says whether mail can be sent to an address: a plain one, at a
// host whose name has a dot.
func validEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || len(s) > 254 {
		return false
	}
	at := strings.LastIndexByte(s, '@')
	labels := strings.Split(s[at+1:], ".")
	return at <= 64 && len(labels) > 1 && !slices.Contains(labels, "")
}

// fits says whether a line is short enough for the service.
func (s Service) fits(text string) error {
	if s.MaxMessage > 0 && utf8.RuneCountInString(text) > s.MaxMessage {
		return chat.Refuse(chat.TooLong, "the message is too long for this service")
	}
	return nil
}

// queue is where a chat waits that was asked for with an endpoint.
func (s Service) queue(endpoint string) string {
	if q, ok := s.Endpoints[strings.TrimSpace(endpoint)]; ok {
		return q
	}
	return s.Queue
}
