package gms

import (
	"context"

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
	return c.transport.command(ctx, c, sum, chat.Command{By: chat.TheVisitor(), Do: do}, true)
}

func (c *call) subscribe(ctx context.Context, sum chat.Summary, do chat.Action) error {
	_, err := c.edge.o.Engine.Do(ctx, sum.Chat, chat.Command{By: chat.TheVisitor(), Do: do})
	if chat.KindOf(err) == chat.Ended {
		return nil // what is left to read can be read
	}
	return err
}
