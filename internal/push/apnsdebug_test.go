package push_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"net/http/httptest"
	"testing"

	"github.com/halley-chat/halley/internal/chat"
	"github.com/halley-chat/halley/internal/push"
)

// twoServices is a sender with stand-ins of Apple's usual service and of the
// sandbox.
func twoServices(t *testing.T, inSandbox bool) (s push.Sender, usual, sandbox *standIn) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	usual, sandbox = &standIn{}, &standIn{}
	servers := make([]*httptest.Server, 2)
	for i, stand := range []*standIn{usual, sandbox} {
		servers[i] = httptest.NewUnstartedServer(stand)
		servers[i].EnableHTTP2 = true
		servers[i].StartTLS()
		t.Cleanup(servers[i].Close)
	}
	s, err = push.NewAPNs(push.APNsOptions{
		Key: []byte(keyFile(t, key)), KeyID: "KEY1234567", TeamID: "TEAM123456", Topic: "org.example.chat", Sandbox: inSandbox,
		Endpoint: servers[0].URL, SandboxEndpoint: servers[1].URL, Transport: trip(t, servers[0]),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, usual, sandbox
}

func verdict(t *testing.T, s push.Sender, v chat.Device) push.Verdict {
	t.Helper()
	m := aMessage
	m.Device = v
	var f *push.Fault
	if err := s.Send(t.Context(), m); !errors.As(err, &f) {
		t.Fatalf("%v is no fault", err)
	}
	return f.Verdict
}

var (
	iphone   = chat.Device{Carrier: chat.CarrierAPNs, Token: "00ff"}
	debugged = chat.Device{Carrier: chat.CarrierAPNs, Token: "00ff", Debug: true}
)

// A visitor's client that says of itself that it is a developer's build leads to
// a service that the key may not be meant for. It does not open the circuit for others;
// where the settings lead there, it does.
func TestDebugDeviceOpensNoCircuit(t *testing.T) {
	s, usual, sandbox := twoServices(t, false)
	no := reply(403, `{"reason":"InvalidProviderToken"}`)
	usual.set(no)
	sandbox.set(no)
	if v := verdict(t, s, debugged); v != push.DeviceTransient {
		t.Errorf("a client's choice: %v", v)
	}
	if v := verdict(t, s, iphone); v != push.Misconfigured {
		t.Errorf("the settings' choice: %v", v)
	}
	s, _, sandbox = twoServices(t, true)
	sandbox.set(no)
	if v := verdict(t, s, debugged); v != push.Misconfigured {
		t.Errorf("the settings' choice, and a client's: %v", v)
	}
}

// As long as nothing was taken by one of Apple's services a device that is bad
// may be good for the other one, and keeps its subscription.
func TestBadDeviceOrWrongSandbox(t *testing.T) {
	s, usual, sandbox := twoServices(t, false)
	bad := reply(400, `{"reason":"BadDeviceToken"}`)
	sandbox.set(reply(200, ``))
	m := aMessage
	m.Device = debugged
	if err := s.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	usual.set(bad)
	if v := verdict(t, s, iphone); v != push.DeviceTransient {
		t.Errorf("before anything was taken: %v", v)
	}
	sandbox.set(bad)
	if v := verdict(t, s, debugged); v != push.UnknownDevice {
		t.Errorf("in the sandbox, which has taken something: %v", v)
	}
	usual.set(reply(200, ``))
	m.Device = iphone
	if err := s.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	usual.set(bad)
	if v := verdict(t, s, iphone); v != push.UnknownDevice {
		t.Errorf("afterwards: %v", v)
	}
}
