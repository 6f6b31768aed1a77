package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/halley-chat/halley/internal/echo"
	"github.com/halley-chat/halley/internal/staff"
)

// demoPassword is known to everybody, which is why the demo stays on loopback.
const demoPassword = "halley-demo"

// publicPasswords are those that are for the demo only: outside of it nobody signs
// in with one, also when the data directory is one that the demo has used.
var publicPasswords = []string{demoPassword}

// The people of the demo and the scripted agent, who has a new password every
// time.
var demoPeople = []staff.Account{
	{Login: "anna", Name: "Anna", Role: staff.RoleAgent, Capacity: 4},
	{Login: "ben", Name: "Ben", Role: staff.RoleAgent, Capacity: 4},
	{Login: "sam", Name: "Sam", Role: staff.RoleSupervisor, Capacity: 4},
}

var demoEcho = staff.Account{Login: "echo", Name: "Echo", Role: staff.RoleAgent, Capacity: 1000}

// checkLoopback refuses an address that others can reach.
func checkLoopback(listen string) error {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("listen address %q: %w", listen, err)
	}
	if host == "localhost" {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("the demo's passwords are public, so it listens on loopback only and not on %q; --demo-public overrides this", listen)
}

// demoAccounts makes the accounts that are not there yet.
func demoAccounts(ctx context.Context, d *staff.Directory) error {
	known := make(map[string]bool)
	for _, a := range d.Accounts() {
		known[a.Login] = true
	}
	for _, a := range demoPeople {
		if known[a.Login] {
			continue // hashing a password for nothing would delay the start
		}
		if _, err := d.Create(ctx, a, demoPassword); err != nil && !errors.Is(err, staff.ErrExists) {
			return fmt.Errorf("the demo's account %s: %w", a.Login, err)
		}
	}
	return nil
}

// runEcho works as the scripted agent until ctx ends.
func (a *App) runEcho(ctx context.Context) error {
	password := rand.Text()
	_, err := a.directory.Create(ctx, demoEcho, password)
	if errors.Is(err, staff.ErrExists) {
		err = a.directory.SetPassword(ctx, demoEcho.Login, password)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("the demo's scripted agent: %w", err)
	}
	err = echo.Run(ctx, echo.Options{URL: a.address(), Login: demoEcho.Login, Password: password, Logger: a.log})
	if errors.Is(err, echo.ErrRefused) {
		// Somebody has disabled the account or changed its password.
		a.log.Warn("the scripted agent was refused and stays away until the next start")
		return nil
	}
	return err
}
