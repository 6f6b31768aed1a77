package gms

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/halley-chat/halley/internal/chat"
)

// Genesys' words for idle control, asynchronous chats and the survey.
const (
	asyncMode     = "GCTI_Chat_AsyncMode" // a key of userData
	cancelPurpose = "cancel-idle-timer"
	surveyor      = "_GCTI_GSS" // the nickname behind the offer of a survey
)

// asksAsync says whether the data of a requestChat asks for an asynchronous
// chat.
func asksAsync(data map[string]string) bool { return strings.EqualFold(data[asyncMode], "true") }

// cancelsIdleTimer says whether a notice cancels the idle timer.
func (r request) cancelsIdleTimer() bool {
	attributes, err := parseRequest(r["eventAttributes"])
	return err == nil && attributes.text("purpose") == cancelPurpose
}

// renderLife is an event of a chat's life in the visitor's words.
func (c participants) renderLife(f chat.Fact, at time.Time, m *message) bool {
	switch f := f.(type) {
	case chat.IdleWarned:
		m.Type, m.From, m.Text = "IdleAlert", c[f.No], &f.Text
		// Both alerts count down to the end, since clients know no other timer.
		m.UserData = map[string]string{
			"next-idle-timer-type": "CLOSE",
			"next-idle-timer-secs": strconv.FormatInt(seconds(f.Closes.Sub(at)), 10),
		}
	case chat.IdleClosed:
		m.Type, m.From, m.Text = "IdleClose", c[f.No], &f.Text
	case chat.SurveyOffered:
		offer, err := json.Marshal(struct {
			Survey string `json:"Survey_URL"`
			Cancel string `json:"Cancel_URL"`
		}{f.URL, f.Cancel})
		if err != nil {
			return false // two strings can always be written
		}
		text := string(offer)
		m.Type, m.From, m.Text = "CustomNotice", c[f.No], &text
		m.From.Nickname = surveyor
	default:
		return false
	}
	return true
}

// seconds are the whole seconds of a time that is left, a begun one included.
func seconds(d time.Duration) int64 { return int64((max(d, 0) + time.Second - 1) / time.Second) }

// countdown says in an answer to somebody who comes back how long a chat is
// still open whose visitor was warned.
func (r *response) countdown(sum chat.Summary) {
	if sum.Open() && !sum.Closing.IsZero() {
		left := seconds(time.Until(sum.Closing))
		r.IdleTimerExpire = &left
	}
}

// visitorLeft says whether the visitor leaves with an event. Whatever happens in
// the chat afterwards is not the visitor's any more.
func visitorLeft(e chat.Event) bool {
	left, ok := e.Fact.(chat.Left)
	return ok && left.No == chat.VisitorNo
}

// endedAt is when the chat was over for its visitor.
func endedAt(sum chat.Summary) time.Time {
	if !sum.Abandoned.IsZero() {
		return sum.Abandoned
	}
	return sum.Ended
}
