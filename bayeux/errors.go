package bayeux

import (
	"errors"
	"strconv"
	"strings"
)

// Error is a refusal as it goes over the wire: code, arguments and text,
// written "403:denied_by_security_policy:publish_denied".
type Error struct {
	Code int
	Args string // comma-separated, may be empty
	Text string
}

// Error is the wire form.
// spec:3.1
func (e *Error) Error() string {
	return strconv.Itoa(e.Code) + ":" + strings.ReplaceAll(e.Args, ":", "_") + ":" + e.Text
}

// The refusals that the server itself makes.
// spec:3.3
var (
	errChannelMissing  = &Error{400, "", "channel_missing"}
	errDuplicateKey    = &Error{400, "", "duplicate_key"}
	errFieldInvalid    = &Error{400, "", "field_invalid"}
	errTooDeep         = &Error{400, "", "nested_too_deeply"}
	errUnknownClient   = &Error{402, "", "Unknown client"}
	errHandshakeDenied = &Error{403, "", "handshake_denied"}
	errSubMissing      = &Error{403, "", "subscription_missing"}
	errSubInvalid      = &Error{403, "", "subscription_invalid"}
	errSubDenied       = &Error{403, "denied_by_security_policy", "subscribe_denied"}
	errSubTooMany      = &Error{403, "too_many_subscriptions", "subscribe_denied"}
	errUnsubFailed     = &Error{403, "", "unsubscribe_failed"}
	errCreateDenied    = &Error{403, "denied_by_security_policy", "channel_create_denied"}
	errPublishDenied   = &Error{403, "denied_by_security_policy", "publish_denied"}
	errNoData          = &Error{400, "", "data_missing"}
	errDeleted         = &Error{404, "", "message_deleted"}
	errTooManySessions = &Error{403, "too_many_sessions", "handshake_denied"}
	errTooManyConnects = &Error{403, "too_many_sessions", "connect_denied"}
	errCreate          = &Error{403, "denied_by_security_policy", "create_denied"}
	errChannelInvalid  = &Error{405, "", "channel_invalid"}
	errIDInvalid       = &Error{405, "", "message_id_invalid"}
	errInternal        = &Error{500, "", "server_error"}
)

// asError is err as it may be shown to a client: an [*Error] as it is, and
// otherwise for anything else.
// spec:3.5
func asError(err error, otherwise *Error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return otherwise
}

// retryable is a refusal after which a client may try once more.
type retryable struct{ error }

func (a retryable) Unwrap() error { return a.error }

// Again wraps a refusal of [Policy.Handshake]: the client is advised to shake
// hands once more, with other credentials, and not to stay away.
// spec:2.6
func Again(refusal error) error { return retryable{refusal} }

// The failures of a delivery.
var (
	// ErrGone: the session has ended.
	ErrGone = errors.New("bayeux: the session has ended")
	// ErrOverflow: the outbox is full; the session has been ended for it.
	ErrOverflow = errors.New("bayeux: the session's outbox is full")
)
