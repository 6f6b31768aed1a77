package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whoever looks into the wrong place is told so, and finds no data there
// afterwards. Only adding somebody makes it.
func TestOnlyAddingMakesData(t *testing.T) {
	t.Setenv(passwordVariable, "a password")
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
