package desk

import (
	"errors"
	"net/http"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/staff"
)

// refusal is why a command or a request was refused, in the words of the API.
type refusal struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

var errNotResumed = errors.New("desk: not resumed")

// codes are the kinds of the domain in the words of the API.
var codes = map[chat.Kind]string{
	chat.Invalid:     "invalid",
	chat.Forbidden:   "forbidden",
	chat.NotFound:    "not-found",
	chat.Ended:       "ended",
	chat.Conflict:    "conflict",
	chat.Capacity:    "capacity",
	chat.TooLong:     "too-long",
	chat.Unavailable: "unavailable",
	chat.Closed:      "unavailable",
	chat.NotOffered:  "not-offered",
	chat.Unknown:     "unknown",
	chat.TooMany:     "too-many",
	chat.TooLarge:    "too-large",
	chat.WrongType:   "wrong-type",
	chat.TooOften:    "too-many",
	chat.Newer:       "read-only",
	chat.Full:        "chat-full",
}

// explain turns an error into a refusal. told is false if the error says more
// than the agent is told, so that it ought to be logged.
func explain(err error) (r refusal, told bool) {
	if errors.Is(err, errNotResumed) {
		return refusal{"not-resumed", "send resume first"}, true
	}
	var e *chat.Error
	if !errors.As(err, &e) {
		return refusal{"unavailable", "that did not work now, try it again"}, false
	}
	code, ok := codes[e.Kind]
	if !ok {
		return refusal{"unavailable", "that did not work now, try it again"}, false
	}
	return refusal{code, e.Reason}, e.Kind != chat.Unavailable
}

// statusOf is the HTTP side of the same: what signing in can be refused for.
func statusOf(err error) (status int, r refusal, told bool) {
	var tooMany *staff.TooManyError
	switch {
	case errors.Is(err, staff.ErrCredentials):
		return http.StatusUnauthorized, refusal{"unauthorized", "login or password is wrong"}, true
	case errors.Is(err, staff.ErrNotSignedIn):
		return http.StatusUnauthorized, refusal{"unauthorized", "sign in first"}, true
	case errors.As(err, &tooMany):
		return http.StatusTooManyRequests, refusal{"too-many", "too many attempts, try again later"}, true
	case errors.Is(err, staff.ErrBusy):
		return http.StatusServiceUnavailable, refusal{"unavailable", "too many are signing in, try again"}, true
	default:
		return http.StatusServiceUnavailable, refusal{"unavailable", "that did not work now, try it again"}, false
	}
}
