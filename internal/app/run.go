package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/halley-chat/halley/internal/staff"
)

const (
	// stopWithin is how long everybody has to go home, all in all.
	stopWithin = 9 * time.Second
	// drainSpread is over how long clients are sent back to whoever serves next.
	drainSpread = 5 * time.Second
	// drainFor is how long answers may take to leave before connections close.
	drainFor = 2 * time.Second
)

// Run serves until ctx ends, then drains: new chats are refused, held
// connects are answered with the advice to come back, and everything is closed
// in the order in which it depends on each other. It returns nil if all of
// that went well. It is called once.
func (a *App) Run(ctx context.Context) error {
	var work sync.WaitGroup
	inner, stopInner := context.WithCancel(context.Background())
	failed := make(chan error, 8)
	start := func(what string, run func(context.Context) error) {
		work.Go(func() {
			if err := run(inner); err != nil {
				failed <- fmt.Errorf("%s: %w", what, err)
			}
		})
	}
	forget := a.directory.OnChange(func(accounts []staff.Account) { a.router.SetMembers(members(accounts)) })
	a.router.SetMembers(members(a.directory.Accounts()))
	start("accounts", a.directory.Run)
	start("routing", a.router.Run)
	start("desk", a.desk.Run)
	start("push", a.push.Run)
	start("audit", a.audit.Run)
	start("disk space", a.space.run)
	start("requests to end chats", a.runEnds)
	start("serve", func(context.Context) error {
		serve := a.web.Serve
		if a.cert != nil {
			serve = func(l net.Listener) error { return a.web.ServeTLS(l, "", "") }
		}
		if err := serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	if a.admin != nil {
		start("serve operators", func(context.Context) error {
			if err := a.admin.Serve(a.adminLine); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	defer a.engine.Board().Watch(a.flow.changed).Close()
	defer a.bus.Subscribe(a.flow.notice)()
	if a.files != nil {
		start("files", func(ctx context.Context) error { return a.files.Run(ctx, a.gms.KnowsFile) })
	}
	if a.o.Demo {
		start("scripted agent", a.runEcho)
	}
	a.greet()

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	a.health.down.Store(true)
	stop, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	err = errors.Join(err, a.drain(stop))
	forget()
	stopInner()
	if a.admin != nil { // last, so that the drain can be watched
		err = errors.Join(err, a.admin.Close())
	}
	return errors.Join(err, wait(stop, &work), a.close(stop))
}

// wait waits for goroutines until ctx ends.
func wait(ctx context.Context, work *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() {
		work.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return errors.New("app: something did not stop in time")
	}
}

// drain sends the clients home.
func (a *App) drain(stop context.Context) error {
	a.log.Info("draining")
	a.gms.Drain(drainSpread)
	a.deskLine.Drain(drainSpread)
	ctx, cancel := context.WithTimeout(stop, drainFor)
	defer cancel()
	if err := a.web.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	// What still holds a connection by now has had its answer.
	if err := a.web.Close(); err != nil {
		return err
	}
	return errors.Join(a.gms.Close(stop), a.deskLine.Close(stop))
}

// close closes what is left, the store last.
func (a *App) close(stop context.Context) error {
	a.desk.Close()
	return errors.Join(a.engine.Close(stop), a.closeFiles(), a.store.Close())
}
