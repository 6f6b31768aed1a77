package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/halley-chat/halley/internal/staff"
)

// Whoever looks into the wrong place is told so, and finds no data there
// afterwards. Only adding somebody makes it.
func TestOnlyAddingMakesData(t *testing.T) {
	t.Setenv(passwordVariable, "a long password")
	dir := filepath.Join(t.TempDir(), "data")
	at := place{Data: dir}
	looks := map[string]func() error{
		"list":    func() error { return agentList{at}.Run(t.Context()) },
		"passwd":  func() error { return agentPasswd{at, "anna"}.Run(t.Context()) },
		"dead":    func() error { return pushDead{at, 100}.Run(t.Context()) },
		"bury":    func() error { return pushBury{place: at, All: true}.Run(t.Context()) },
		"disable": func() error { return agentDisable{at, "anna"}.Run(t.Context()) },
		"enable":  func() error { return agentEnable{at, "anna"}.Run(t.Context()) },
		"set": func() error {
			capacity := 3
			return agentSet{place: at, Login: "anna", Capacity: &capacity}.Run(t.Context())
		},
		"audit":  func() error { return auditList{place: at}.Run(t.Context()) },
		"verify": func() error { return auditVerify{place: at}.Run(t.Context()) },
	}
	for name, look := range looks {
		if err := look(); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s of nothing: %v", name, err)
		}
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("looking has made a data directory: %v", err)
	}
	if err := (agentAdd{place: at, Login: "anna", Role: "agent", Capacity: 4}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, look := range looks {
		if err := look(); err != nil {
			t.Errorf("%s: got %v, want no error", name, err)
		}
	}
}

// The demo's password, which everybody knows, is given to nobody.
func TestTheDemosPasswordIsRefused(t *testing.T) {
	at := place{Data: filepath.Join(t.TempDir(), "data")}
	add := agentAdd{place: at, Login: "anna", Role: "agent", Capacity: 4}
	t.Setenv(passwordVariable, "halley-demo")
	if err := add.Run(t.Context()); !errors.Is(err, staff.ErrInvalid) || !strings.Contains(err.Error(), "everybody knows") {
		t.Errorf("add: got the error %v, want a refusal", err)
	}
	t.Setenv(passwordVariable, "a long password")
	if err := add.Run(t.Context()); err != nil {
		t.Fatalf("add with another password: got %v, want nil", err)
	}
	t.Setenv(passwordVariable, "halley-demo")
	if err := (agentPasswd{at, "anna"}).Run(t.Context()); !errors.Is(err, staff.ErrInvalid) || !strings.Contains(err.Error(), "everybody knows") {
		t.Errorf("passwd: got the error %v, want a refusal", err)
	}
}
