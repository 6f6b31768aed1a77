package staff

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

// Limits of what an account may hold.
const (
	MinPassword = 12   // characters
	MaxPassword = 1024 // bytes
	MaxLogin    = 64   // bytes
	MaxName     = 256  // bytes
	MaxCapacity = 1000 // chats at once
)

// ErrInvalid is what every refusal of a login, a name, a role, a capacity or a
// password for its form is in the sense of [errors.Is]. Its text may be shown
// and never contains what was entered.
var ErrInvalid = errors.New("staff: invalid")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// FoldLogin is a login as it is stored: lower case, without space around it.
func FoldLogin(login string) string { return strings.ToLower(strings.TrimSpace(login)) }

// CheckPassword says why a new password is refused: it has fewer than
// [MinPassword] characters, more than [MaxPassword] bytes, is not UTF-8, or holds
// what RFC 8265 does not take in a password, such as control characters.
func CheckPassword(password string) error {
	_, err := newPassword(password)
	return err
}

// newPassword is a password as it is hashed, or why it is refused.
func newPassword(password string) (string, error) {
	if !utf8.ValidString(password) {
		return "", invalid("the password is not UTF-8")
	}
	if len(password) > MaxPassword {
		return "", invalid("the password is longer than %d bytes", MaxPassword)
	}
	form, err := precis.OpaqueString.String(password)
	switch {
	case err != nil && password != "":
		return "", invalid("the password holds characters that cannot be typed reliably, such as control characters")
	case utf8.RuneCountInString(form) < MinPassword:
		return "", invalid("the password needs at least %d characters", MinPassword)
	case len(form) > MaxPassword:
		return "", invalid("the password is longer than %d bytes", MaxPassword)
	}
	return form, nil
}

// prepared is a password as it is compared (RFC 8265, OpaqueString): what looks
// the same is the same, however a keyboard composed it. What has no such form
// stays as it is; only an older hash can be that of one.
func prepared(password string) string {
	if form, err := precis.OpaqueString.String(password); err == nil {
		return form
	}
	return password
}

func checkLogin(login string) error {
	if login == "" || len(login) > MaxLogin {
		return invalid("a login has 1 to %d characters", MaxLogin)
	}
	for _, r := range login {
		if !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || strings.ContainsRune("._-+@", r)) {
			return invalid("a login is made of letters a to z, digits and . _ - + @")
		}
	}
	return nil
}

func checkAccount(a Account) error {
	if err := checkLogin(a.Login); err != nil {
		return err
	}
	if a.Name == "" || len(a.Name) > MaxName || !utf8.ValidString(a.Name) || strings.ContainsFunc(a.Name, unicode.IsControl) {
		return invalid("a name has 1 to %d bytes of UTF-8 without control characters", MaxName)
	}
	if a.Role != RoleAgent && a.Role != RoleSupervisor && a.Role != RoleBot {
		return invalid("a role is %q, %q or %q", RoleAgent, RoleSupervisor, RoleBot)
	}
	if a.Capacity < 1 || a.Capacity > MaxCapacity {
		return invalid("a capacity is 1 to %d", MaxCapacity)
	}
	return nil
}
