package gms

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/media"
)

// What TestViewers does in a service in which everything is switched on: idle
// control with short times, a welcome, a survey, masking, files, asynchronous
// chats, and chats that stay when their visitor leaves.

var mixed = map[string]Service{"mixed": {Queue: "mixed", Async: true, Files: mixedFiles}}

var mixedFiles = &media.Policy{
	FileRules: chat.FileRules{MaxFiles: 2, MaxFileSize: 1000, MaxTotalSize: 1500, MaxFetches: 2},
	Types:     []string{"txt"}, Deletion: "odd",
}

func mixedRules(r *chat.Rules) {
	r.Files = mixedFiles.FileRules
	idle := chat.Idle{
		Alert: 6 * time.Second, Alert2: 3 * time.Second, Close: 4 * time.Second,
		AlertText: "still there?", Alert2Text: "hello?", CloseText: "good bye",
	}
	r.Life = chat.Life{
		Idle: idle, AsyncIdle: idle, Welcome: "welcome", Abandon: chat.AbandonStays,
		Survey: chat.Survey{URL: "https://example.org/s"}, Mask: chat.NewMask(true, nil, 0),
	}
}

// card is a card number, which nobody may see.
const card = "4111 1111 1111 1111"

// forVisitor is a log without what happened after the visitor had left, which
// is replaced by something that no visitor sees.
func forVisitor(log []chat.Event) []chat.Event {
	log = slices.Clone(log)
	for i, e := range log {
		if left, ok := e.Fact.(chat.Left); ok && left.No == chat.VisitorNo {
			for n := i + 1; n < len(log); n++ {
				log[n].Fact = chat.Away{}
			}
			break
		}
	}
	return log
}

// featureAction carries out the actions of a client on a WebSocket that concern more than one
// feature.
func (v *viewer) featureAction(d action) {
	f := &fileClient{h: v.h, service: v.service, key: v.key, chat: v.chat}
	switch d.What {
	case "calm":
		v.ask("customNotice", map[string]any{"message": "n", "eventAttributes": map[string]any{"purpose": cancelPurpose}}, 0)
	case "card":
		op, field := "sendMessage", "message"
		switch d.From {
		case 1, 2, 3:
			op = "customNotice"
		case 4, 5, 6:
			op, field = "updateNickname", "nickname"
		case 7, 8, 9:
			op = "startTyping"
		}
		v.ask(op, map[string]any{field: card}, 0)
	case "device":
		v.ask("updateData", map[string]any{"userData": map[string]any{keyDevice: fmt.Sprint("phone-", d.From), keyType: "fcm"}}, 0)
	case "again":
		v.ask("requestNotifications", map[string]any{
			"transcriptPosition": 1, "userData": map[string]any{keyDevice: fmt.Sprint("phone-", d.From), keyType: "fcm"},
		}, 1)
	case "upload":
		if v.service == "mixed" {
			f.ntf(opUpload, field{name: "userData[file-description]", value: card}, field{"file", "a text", card + ".txt"})
		}
	case "delete":
		if id := v.h.someFile(v.chat, true); id != "" {
			f.ntf(opDownload, field{name: "fileId", value: string(id)})
			f.ntf(opDelete, field{name: "fileId", value: string(id)})
		}
	}
}

// someFile is a file that the visitor, or the staff, has shared; "" if there is
// none.
func (h *fixture) someFile(id string, visitor bool) chat.FileID {
	sum, _ := h.summary(id)
	for _, f := range sum.Files {
		if (f.No == chat.VisitorNo) == visitor {
			return f.ID
		}
	}
	return ""
}

// featureAction carries out those of a client that polls.
func (p *polling) featureAction(d action) {
	switch d.What {
	case "calm":
		p.ask("customNotice", 0, "message", "n", "eventAttributes", `{"purpose":"`+cancelPurpose+`"}`)
	case "card":
		p.ask("send", max(p.next, 1), "message", card)
	case "peek":
		p.ask("refresh", 0)
	case "hint":
		p.ask("refresh", max(p.next, 1), "message", card)
	case "upload":
		if p.service != "mixed" {
			return
		}
		f := &fileClient{h: p.h, service: p.service, key: p.key, chat: p.chat}
		f.rest("file", field{name: "userData[file-description]", value: card}, field{"file", "a text", "note.txt"})
		f.rest("file/limits")
	}
}

// featureAction carries out those of an agent.
func (s *simulation) featureAction(do func(chat.Action) error, d action) {
	switch d.What {
	case "hold":
		_ = do(chat.Hold{})
	case "card":
		_ = do(chat.Say{Text: card})
		_ = do(chat.Notify{Text: card})
	case "share":
		_ = do(chat.Share{File: chat.NewFileID(rand.Uint64()), Name: "a.txt", Size: 6, Type: "text/plain", Description: card})
	case "unshare":
		for _, c := range s.chats {
			if id := s.h.someFile(c.id, false); id != "" {
				_ = do(chat.Unshare{File: id})
			}
		}
	}
}

// checkMasked says whether a card number got into what is stored, previews
// included, which are read from what was told.
func checkMasked(log []chat.Event, notes []heard) error {
	var texts []string
	for _, e := range log {
		texts = append(texts, fmt.Sprintf("%+v", e.Fact))
	}
	for _, n := range notes {
		texts = append(texts, fmt.Sprint(n.Messages))
	}
	for _, text := range texts {
		if strings.Contains(text, card) {
			return fmt.Errorf("a card number got through: %s", text)
		}
	}
	return nil
}
