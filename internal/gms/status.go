package gms

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/halley-chat/halley/internal/chat"
)

// The values of statusCode.
const (
	statusOK        = 0
	statusTemporary = 1 // repeat the request
	statusPermanent = 2 // repeating is useless
)

// Error codes.
const (
	codeFirstName = 102
	codeLastName  = 103
	codeName      = 161
	codeEmail     = 364
	codeTooMany   = 201
	codeTooLarge  = 202
	codeWrongType = 203
	codeTooLong   = 204
	codeNoNewChat = 240
	codeRefused   = 249
	codeNoService = 306
	codeForbidden = 401
)

// failure is one entry of errors.
type failure struct {
	Code   int    `json:"code"`
	Advice string `json:"advice"`
}

// verdict is how a refusal looks on the wire. Advice is plain text, because
// clients show it as it is, and in English here; translations.go has the other
// languages.
type verdict struct {
	status int
	failure
	ended    bool // the client has no chat (any more)
	http     int  // the status over REST; 0 means 200
	noErrors bool // errors is left out
}

// Over REST what the chat decided is answered with the status 200, and what is
// wrong about the request itself with a 4xx, which only the client can put
// right. Nothing that a client does is answered with a 5xx.

// verdicts maps the domain's refusals to Genesys' words; the one table for it.
// A kind that is not listed is answered as "cannot be carried out".
var verdicts = map[chat.Kind]verdict{
	chat.Unavailable: {status: statusTemporary, failure: failure{codeRefused, "The chat server is not available at the moment. Please try again."}},
	// Another node, or this one after its upgrade, may know what was written.
	chat.Newer:     {status: statusTemporary, failure: failure{codeRefused, "The chat server is not available at the moment. Please try again."}},
	chat.Full:      {status: statusPermanent, failure: failure{codeTooLong, "This chat is full. Please start a new one."}, http: http.StatusBadRequest},
	chat.Ended:     {status: statusPermanent, failure: failure{codeRefused, "This chat has ended."}, ended: true},
	chat.NotFound:  {status: statusPermanent, failure: failure{codeRefused, "There is no such chat, or it is over."}, ended: true},
	chat.Forbidden: {status: statusPermanent, failure: failure{codeRefused, "There is no such chat, or it is over."}, ended: true},
	chat.TooLong:   {status: statusPermanent, failure: failure{codeTooLong, "The message is too long."}, http: http.StatusBadRequest},
	chat.Invalid:   {status: statusPermanent, failure: failure{codeRefused, "The request is not complete or not valid."}, http: http.StatusBadRequest},
	chat.Unknown:   {status: statusPermanent, failure: failure{codeRefused, "This operation is not known."}, http: http.StatusNotFound},
	chat.Closed:    {status: statusPermanent, failure: failure{codeNoNewChat, "A new chat cannot be started now. Please try again later."}, ended: true},
	// The advice of these two is the number that was exceeded; see verdictOf.
	chat.TooMany:   {status: statusPermanent, failure: failure{codeTooMany, ""}, http: http.StatusBadRequest},
	chat.TooLarge:  {status: statusPermanent, failure: failure{codeTooLarge, ""}, http: http.StatusBadRequest},
	chat.WrongType: {status: statusPermanent, failure: failure{codeWrongType, "Files of this type are not accepted."}, http: http.StatusBadRequest},
	chat.TooOften:  {status: statusPermanent, failure: failure{codeRefused, "This file has been downloaded as often as it may be."}, http: http.StatusBadRequest},
}

// refusal is an error of this edge that is not one of the domain's.
type refusal struct{ verdict }

func (r *refusal) Error() string { return "gms: " + r.Advice }

var (
	errNoFile         = &refusal{verdict{status: statusPermanent, failure: failure{codeRefused, "There is no such file."}, http: http.StatusNotFound}}
	errNoAgentYet     = &refusal{verdict{status: statusPermanent, failure: failure{codeRefused, "Files can be sent once somebody has joined the chat."}, http: http.StatusBadRequest}}
	errHarmful        = &refusal{verdict{status: statusPermanent, failure: failure{codeWrongType, "The file was refused because it may do harm."}, http: http.StatusBadRequest}}
	errTooManyUploads = &refusal{verdict{status: statusPermanent, failure: failure{codeRefused, "Too many files are being sent at once. Please wait until one has arrived."}, http: http.StatusBadRequest}}
	errNotScanned     = &refusal{verdict{status: statusPermanent, failure: failure{codeRefused, "The file could not be checked. Please try again later."}, http: http.StatusBadRequest}}
	errNoService      = &refusal{verdict{status: statusPermanent, failure: failure{codeNoService, "This chat service does not exist."}, ended: true}}
	errOrigin         = &refusal{verdict{status: statusPermanent, failure: failure{codeForbidden, "This page may not use the chat service."}, ended: true, http: http.StatusForbidden}}
	errTransport      = &refusal{verdict{status: statusPermanent, failure: failure{codeForbidden, "The chat service cannot be used over this connection."}, ended: true}}
	errFirstName      = &refusal{verdict{status: statusPermanent, failure: failure{codeFirstName, "Please enter your first name."}, ended: true, http: http.StatusBadRequest}}
	errLastName       = &refusal{verdict{status: statusPermanent, failure: failure{codeLastName, "Please enter your last name."}, ended: true, http: http.StatusBadRequest}}
	errName           = &refusal{verdict{status: statusPermanent, failure: failure{codeName, "Please enter your name."}, ended: true, http: http.StatusBadRequest}}
	errEmail          = &refusal{verdict{status: statusPermanent, failure: failure{codeEmail, "Please enter a valid e-mail address."}, ended: true, http: http.StatusBadRequest}}
	errHours          = &refusal{verdict{status: statusPermanent, failure: failure{codeNoNewChat, "The chat is closed now. Please come back during our opening hours."}, ended: true}}
	errTooMany        = &refusal{verdict{status: statusPermanent, failure: failure{codeNoNewChat, "Too many chats were started from your network. Please try again in a minute."}, ended: true}}
	errTooFast        = &refusal{verdict{status: statusTemporary, failure: failure{codeRefused, "Too many requests at once. Please try again."}}}
	// Over REST a service that does not exist is a 404 without errors, which
	// is how clients there know it.
	errNoSuchService = &refusal{verdict{status: statusPermanent, failure: errNoService.failure, ended: true, http: http.StatusNotFound, noErrors: true}}
	errMethod        = &refusal{verdict{status: statusPermanent, failure: failure{codeRefused, "The chat API is called with POST."}, http: http.StatusMethodNotAllowed}}
	errTooBig        = &refusal{verdict{status: statusPermanent, failure: failure{codeTooLong, "The request is too long."}, http: http.StatusRequestEntityTooLarge}}
)

// verdictOf is how an error looks on the wire. known is false for an error
// that nobody foresaw: it is shown as "not available" and should be logged.
func verdictOf(err error) (v verdict, known bool) {
	var r *refusal
	if errors.As(err, &r) {
		return r.verdict, true
	}
	kind := chat.KindOf(err)
	if kind == 0 {
		return verdicts[chat.Unavailable], false
	}
	if v, listed := verdicts[kind]; listed {
		var e *chat.Error
		if v.Advice == "" && errors.As(err, &e) {
			v.Advice = strconv.FormatInt(e.Limit, 10)
		}
		return v, true
	}
	return verdicts[chat.Invalid], true
}
