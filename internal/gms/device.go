package gms

import (
	"context"
	"encoding/json"
	"time"

	"github.com/halley-chat/halley/bayeux"
	"github.com/halley-chat/halley/internal/chat"
)

// Push subscriptions and going to the background. A client names its device in
// userData, under one set of names over CometD and another over REST; both are
// read on both sides. The names never get into the chat's data: with the
// device's id anybody who has the credentials can write to the device.

// The names over CometD and over REST.
const (
	keyDevice, restDevice     = "push_notification_deviceid", "GCTI_GMS_PushDeviceId"
	keyType, restType         = "push_notification_type", "GCTI_GMS_PushDeviceType"
	keyLanguage               = "push_notification_language"
	keyProvider, restProvider = "push_notification_provider", "GCTI_GMS_PushProvider"
	keyDebug                  = "push_notification_debug"
	restSubscribe             = "GCTI_Chat_PushSubscribe"
	restPayload               = "GCTI_GMS_PushIncludePayload"
)

// deviceKeys are all names that are about a device, those included that change
// nothing here.
var deviceKeys = []string{
	keyDevice, restDevice, keyType, restType, keyLanguage, keyProvider, restProvider, keyDebug, restSubscribe, restPayload,
	"GCTI_GMS_NodeGroup", "GCTI_GMS_NotifyRequestor", "GCTI_GMS_PushResend",
}

// carriers are the types of devices that can be told.
var carriers = map[string]chat.Carrier{
	"fcm": chat.CarrierFCM, "ios": chat.CarrierAPNs, "customhttp": chat.CarrierHook,
}

// takeDevice takes the names that are about a device out of userData and says
// what they ask for. asked is false if they ask for nothing; a nil device with
// asked means that there shall be none any more. A type that is not known
// gives a device without a carrier.
func takeDevice(data map[string]string) (device *chat.Device, asked bool) {
	first := func(names ...string) string {
		for _, name := range names {
			if v := data[name]; v != "" {
				return v
			}
		}
		return ""
	}
	token, stop := first(keyDevice, restDevice), data[restSubscribe] == "false"
	if token != "" {
		device = &chat.Device{
			Carrier: carriers[first(keyType, restType)], Token: chat.Token(token), Provider: first(keyProvider, restProvider),
			Language: data[keyLanguage], Debug: data[keyDebug] == "true", Payload: data[restPayload] == "true",
		}
	}
	for _, name := range deviceKeys {
		delete(data, name)
	}
	if stop {
		return nil, true
	}
	return device, device != nil
}

// reachable is the device if it can be told of what happens, and nil if not. A
// client is not refused for it: it would lose its chat over something that it
// can do without.
func (e *Edge) reachable(device *chat.Device) *chat.Device {
	if device == nil {
		return nil
	}
	if device.Carrier == "" || e.o.Carries == nil || !e.o.Carries(*device) {
		e.stats.NoDevice.Add(1)
		return nil
	}
	return device
}

// subscription is the command that the names in userData ask for, which it
// takes out; nil if they ask for nothing that can be done.
func (e *Edge) subscription(data map[string]string) chat.Action {
	device, asked := takeDevice(data)
	switch {
	case !asked:
		return nil
	case device == nil:
		return chat.Unsubscribe{}
	}
	if device = e.reachable(device); device == nil {
		return nil
	}
	return chat.Subscribe{Device: *device}
}

// resubscribe lets a client that asks for events name another device.
func (c *call) resubscribe(ctx context.Context, sum chat.Summary) error {
	data, err := c.request.userData()
	if err != nil {
		return err
	}
	do := c.edge.subscription(data)
	if do == nil || !sum.Live() {
		return nil
	}
	return c.subscribe(ctx, sum, do)
}

// updateDevice is updateData with a device among the data.
func (c *call) updateDevice(ctx context.Context, do chat.Action, data map[string]string) error {
	sum, err := c.owner(ctx)
	if err != nil {
		return err
	}
	if len(data) > 0 {
		if err := c.subscribe(ctx, sum, do); err != nil {
			return err
		}
		do = chat.SetData{Data: data}
	}
	return c.face.command(ctx, c, sum, chat.Command{By: chat.TheVisitor(), Do: do}, true)
}

func (c *call) subscribe(ctx context.Context, sum chat.Summary, do chat.Action) error {
	_, err := c.edge.o.Engine.Do(ctx, sum.Chat, chat.Command{By: chat.TheVisitor(), Do: do})
	if chat.KindOf(err) == chat.Ended {
		return nil // what is left to read can be read
	}
	return err
}

// The values of [binding.back] that are no position.
const (
	stays     = 0  // the client has not said goodbye to go to the background
	somewhere = -1 // it has, without a position that makes sense
)

// goodbye sees what clients send before it is acted upon. An app that goes to
// the background says goodbye with the position from which on it wants to be
// told; the session's end follows.
func (e *Edge) goodbye(_ context.Context, s *bayeux.Session, m *bayeux.Message) error {
	if s == nil || m.Channel != "/meta/disconnect" {
		return nil
	}
	position := m.ExtField("transcriptPosition")
	b, ok := s.Value().(*binding)
	if position == nil || !ok {
		return nil
	}
	from := request{"transcriptPosition": position}.position(somewhere)
	b.back.Store(from)
	return nil
}

// parting is what the chat is told of a session's end.
func (b *binding) parting(r bayeux.Reason) chat.Unbind {
	back := b.back.Load()
	switch {
	case r == bayeux.Disconnected && back != stays:
		return chat.Unbind{Background: true, From: max(back, 0)}
	case r == bayeux.Disconnected:
		return chat.Unbind{}
	default:
		return chat.Unbind{Heard: unheard()}
	}
}

// unheard is when the client of a session that has expired was surely there.
// What was sent since then may be lost.
func unheard() time.Time { return time.Now().Add(-connectTimeout - maxInterval) }

// Script renders the events of one chat in the visitor's words, for whoever
// brings them there by another way than this edge. It is fed the events in
// order and belongs to one goroutine.
type Script struct{ cast cast }

// NewScript makes a script for a chat, which begins with the chat's first
// event.
func NewScript() *Script { return &Script{make(cast)} }

// See learns from an event who takes part, and who goes by another name.
func (s *Script) See(e chat.Event) { s.cast.see(e) }

// Render is an event's type, the number of the participant behind it and the
// event itself; ok is false for one that the visitor may not see.
func (s *Script) Render(e chat.Event) (kind string, by int, event json.RawMessage, ok bool) {
	m, ok := s.cast.render(e)
	if !ok {
		return "", 0, nil, false
	}
	event, err := json.Marshal(m)
	if err != nil {
		return "", 0, nil, false // as in response.encode, which cannot happen
	}
	return m.Type, m.From.ParticipantID, event, true
}

// ForPeople says whether events of a type are meant for people. Those that are
// not have no place on the screen of a phone.
func (s *Script) ForPeople(kind string) bool {
	switch kind {
	case "CustomNotice", "Notice", "FileDeleted":
		return false
	}
	return true
}
