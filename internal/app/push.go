package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/config"
	"github.com/halley-chat/halley/internal/gms"
	"github.com/halley-chat/halley/internal/push"
	"github.com/halley-chat/halley/internal/sqlite"
)

// pushing makes the pusher with the configured senders, whose credentials it
// reads. It is there without any, too: a visitor may have named its device when
// there were some.
func (a *App) pushing() (*push.Pusher, error) {
	c := a.o.Config.Push
	senders := make(map[push.Target]push.Sender)
	for name, p := range c.All() {
		if err := addSenders(senders, name, p); err != nil {
			return nil, err
		}
	}
	texts := make(map[string]push.Text, len(c.Texts))
	for language, t := range c.Texts {
		if language == config.DefaultText {
			language = ""
		}
		texts[language] = push.Text{Title: t.Title, Body: t.Body}
	}
	return push.New(push.Options{
		Engine: a.engine, Store: a.store.Pushes(), Senders: senders, Texts: texts,
		Script: func() push.Script { return gms.NewScript() },
		Active: c.ToActiveClient, Payload: c.IncludePayload, Expiry: time.Duration(c.Expiry), Keep: time.Duration(c.Timeout),
		Logger: a.log,
	}), nil
}

func addSenders(senders map[push.Target]push.Sender, name string, p config.PushProvider) error {
	add := func(carrier chat.Carrier, s push.Sender, err error) error {
		if err != nil {
			return err
		}
		senders[push.Target{Carrier: carrier, Provider: name}] = s
		return nil
	}
	if c := p.FCM; c != nil {
		account, err := os.ReadFile(c.ServiceAccount)
		if err != nil {
			return fmt.Errorf("push: fcm: %w", err)
		}
		s, err := push.NewFCM(push.FCMOptions{Account: account, Endpoint: c.Endpoint})
		if err := add(chat.CarrierFCM, s, err); err != nil {
			return fmt.Errorf("%s: %w", c.ServiceAccount, err)
		}
	}
	if c := p.APNs; c != nil {
		key, err := os.ReadFile(c.Key)
		if err != nil {
			return fmt.Errorf("push: apns: %w", err)
		}
		s, err := push.NewAPNs(push.APNsOptions{
			Key: key, KeyID: c.KeyID, TeamID: c.TeamID, Topic: c.Topic, Sandbox: c.Sandbox, Endpoint: c.Endpoint, SandboxEndpoint: c.Endpoint,
		})
		if err := add(chat.CarrierAPNs, s, err); err != nil {
			return fmt.Errorf("%s: %w", c.Key, err)
		}
	}
	if c := p.CustomHTTP; c != nil {
		header := make(map[string]string, len(c.Headers)+1)
		for k, v := range c.Headers {
			header[k] = v
		}
		if c.AuthorizationFile != "" {
			b, err := os.ReadFile(c.AuthorizationFile)
			if err != nil {
				return fmt.Errorf("push: customhttp: %w", err)
			}
			header["Authorization"] = strings.TrimSpace(string(b))
		}
		s, err := push.NewHook(push.HookOptions{URL: c.URL, Header: header})
		return add(chat.CarrierHook, s, err)
	}
	return nil
}

// reachable lets visitors who can be told through a device stay away for
// longer than others.
func reachable(c config.Config, rules func(service string) chat.Rules) func(service string) chat.Rules {
	return func(service string) chat.Rules {
		r := rules(service)
		r.GoneSubscribed = time.Duration(c.Push.Timeout)
		return r
	}
}

// WithPushes opens what is kept about pushing in a data directory, beside a
// running server or without one, and hands it to do.
func WithPushes(ctx context.Context, dir string, do func(push.Store) error) error {
	store, err := sqlite.OpenShared(ctx, dir)
	if err != nil {
		return err
	}
	return errors.Join(do(store.Pushes()), store.Close())
}
