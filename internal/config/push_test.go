package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/internal/config"
)

const pushes = `
[services.a]
[queues.a]
members = ["*"]

[push]
timeout = "48h"
to_active_client = true
include_payload = true
expiry = "5m"

[push.texts.default]
body = "News"
[push.texts.de]
title = "Chat"
body = "Neues"

[push.fcm]
service_account = "fcm.json"

[push.apns]
key = "AuthKey.p8"
key_id = "KEY"
team_id = "TEAM"
topic = "org.example.chat"
sandbox = true

[push.customhttp]
url = "https://example.org/hook"
headers = { X-Site = "1" }
authorization_file = "hook.secret"

[push.providers.other.fcm]
service_account = "other.json"
endpoint = "http://127.0.0.1:1"
`

func TestPush(t *testing.T) {
	c, err := config.Parse([]byte(pushes))
	if err != nil {
		t.Fatal(err)
	}
	other := config.PushProvider{FCM: &config.PushFCM{ServiceAccount: "other.json", Endpoint: "http://127.0.0.1:1"}}
	usual := config.PushProvider{
		FCM:        &config.PushFCM{ServiceAccount: "fcm.json"},
		APNs:       &config.PushAPNs{Key: "AuthKey.p8", KeyID: "KEY", TeamID: "TEAM", Topic: "org.example.chat", Sandbox: true},
		CustomHTTP: &config.PushHTTP{URL: "https://example.org/hook", Headers: map[string]string{"X-Site": "1"}, AuthorizationFile: "hook.secret"},
	}
	want := config.Push{
		Timeout: config.Duration(48 * time.Hour), ToActiveClient: true, IncludePayload: true, Expiry: config.Duration(5 * time.Minute),
		Texts:        map[string]config.PushText{"default": {Body: "News"}, "de": {Title: "Chat", Body: "Neues"}},
		PushProvider: usual,
		Providers:    map[string]config.PushProvider{"other": other},
	}
	if diff := cmp.Diff(want, c.Push); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]config.PushProvider{"": usual, "other": other}, c.Push.All()); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
	if n := len(config.Default().Push.All()); n != 1 {
		t.Errorf("without a file there are %d", n)
	}
}

func TestPushFaults(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{`timeout = "48h"`, `timeout = "500h"`, "push.timeout: "},
		{`timeout = "48h"`, `timeout = "-1s"`, "push.timeout: "},
		{`expiry = "5m"`, `expiry = "1ms"`, "push.expiry: "},
		{`body = "Neues"`, `body = ""`, "push.texts.de: "},
		{`service_account = "fcm.json"`, ``, "push.fcm.service_account: "},
		{`key_id = "KEY"`, ``, "push.apns.key_id: "},
		{`topic = "org.example.chat"`, `topic = " "`, "push.apns.topic: "},
		{`"https://example.org/hook"`, `"ftp://s3cret"`, "push.customhttp.url: "},
		{`X-Site = "1"`, `"X Site" = "1"`, "push.customhttp.headers: "},
		{`X-Site = "1"`, `X-Site = "1\n2"`, "push.customhttp.headers: "},
		{`"http://127.0.0.1:1"`, `"127.0.0.1"`, "push.providers.other.fcm.endpoint: "},
		{`providers.other`, `providers."a/b"`, "push.providers.a/b: "},
		{`sandbox = true`, `sand = true`, "26:1: there is no setting \"push.apns.sand\""},
	} {
		t.Run(c.new, func(t *testing.T) {
			_, err := config.Parse([]byte(strings.Replace(pushes, c.old, c.new, 1)))
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%s: the error is %v, want one with %q", c.new, err, c.want)
			}
		})
	}
}
