package bayeux_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/halley-chat/halley/bayeux"
	"github.com/halley-chat/halley/bayeux/client"
)

// serve runs a server for an example and returns its address. A program would
// mount it with http.Handle("/cometd/", srv).
func serve(srv *bayeux.Server) (url string, stop func()) {
	host := httptest.NewServer(srv)
	return host.URL + "/cometd", func() {
		if err := srv.Close(context.Background()); err != nil {
			fmt.Println(err)
		}
		host.Close()
	}
}

// join connects a client to a server.
func join(url string, header http.Header) (*client.Client, error) {
	c, err := client.New(client.Options{URL: url, Header: header, GiveUp: func(int, error) bool { return true }})
	if err != nil {
		return nil, err
	}
	_, err = c.Handshake(context.Background())
	return c, err
}

// refusal is what the server said about a message.
func refusal(err error) string {
	var refused *client.Error
	if errors.As(err, &refused) {
		return refused.Raw
	}
	if err != nil {
		return err.Error()
	}
	return "may"
}

// A chat room needs nothing but the server: what one client publishes to a
// channel goes to everybody who subscribed to it.
func Example_chatRoom() {
	ctx := context.Background()
	srv := bayeux.New(bayeux.Options{})
	url, stop := serve(srv)
	defer stop()

	anna, err := join(url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer anna.Close(ctx)
	ben, err := join(url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ben.Close(ctx)

	heard := make(chan string)
	if _, err := ben.Subscribe(ctx, "/room/*", func(m *client.Message) {
		heard <- m.Channel + " " + string(m.Data)
	}); err != nil {
		fmt.Println(err)
		return
	}
	if _, err := anna.Publish(ctx, "/room/kitchen", "dinner is ready"); err != nil {
		fmt.Println(err)
	}
	fmt.Println(<-heard)
	// Output: /room/kitchen "dinner is ready"
}

// A service answers whoever asks. What the handler delivers to the sender goes
// ahead of the acknowledgement, and an Error refuses.
func ExampleServer_Handle() {
	ctx := context.Background()
	srv := bayeux.New(bayeux.Options{})
	srv.Handle("/service/shout", func(_ context.Context, s *bayeux.Session, m *bayeux.Message) error {
		var text string
		if err := json.Unmarshal(m.Data, &text); err != nil || text == "" {
			return &bayeux.Error{Code: 400, Text: "nothing to shout"}
		}
		answer, err := json.Marshal(strings.ToUpper(text))
		if err != nil {
			return err
		}
		return s.Deliver(m.Channel, answer)
	})
	url, stop := serve(srv)
	defer stop()

	c, err := join(url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close(ctx)
	answers := make(chan string, 1)
	c.Listen("/service/shout", func(m *client.Message) { answers <- string(m.Data) })
	if _, err := c.Publish(ctx, "/service/shout", "hello"); err != nil {
		fmt.Println(err)
	}
	fmt.Println(<-answers)
	_, err = c.Publish(ctx, "/service/shout", 5)
	fmt.Println(refusal(err))
	// Output:
	// "HELLO"
	// 400::nothing to shout
}

// Authenticate says who is behind a request, and the policy what they may do.
func ExampleOptions_authentication() {
	ctx := context.Background()
	srv := bayeux.New(bayeux.Options{
		Authenticate: func(r *http.Request) (any, error) {
			switch r.Header.Get("Authorization") {
			case "Bearer secret-of-anna":
				return "anna", nil
			case "Bearer secret-of-ben":
				return "ben", nil
			}
			return nil, errors.New("who is this?")
		},
		Policy: bayeux.Policy{
			Publish: func(_ context.Context, s *bayeux.Session, channel string) error {
				if strings.HasPrefix(channel, "/news/") && s.Principal() != "anna" {
					return errors.New("only anna writes news")
				}
				return nil
			},
		},
	})
	url, stop := serve(srv)
	defer stop()

	for _, name := range []string{"anna", "ben"} {
		c, err := join(url, http.Header{"Authorization": {"Bearer secret-of-" + name}})
		if err != nil {
			fmt.Println(err)
			return
		}
		defer c.Close(ctx)
		_, err = c.Publish(ctx, "/news/today", "rain")
		fmt.Println(name, refusal(err))
	}
	resp, err := http.Post(url, "application/json", strings.NewReader(`[{"channel":"/meta/handshake"}]`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	fmt.Println("nobody", resp.Status)
	// Output:
	// anna may
	// ben 403:denied_by_security_policy:publish_denied
	// nobody 401 Unauthorized
}

// An extension sees whole messages, both ways: this one refuses what is too
// loud and numbers what goes out.
func ExampleExtension() {
	srv := bayeux.New(bayeux.Options{Extensions: []bayeux.Extension{{
		Incoming: func(_ context.Context, _ *bayeux.Session, m *bayeux.Message) error {
			if strings.Contains(string(m.Data), "!!!") {
				return &bayeux.Error{Code: 403, Text: "too loud"}
			}
			m.OnReply(func(_ *bayeux.Session, r *bayeux.Reply) { r.SetExt("heard", []byte("true")) })
			return nil
		},
		Outgoing: func(_ *bayeux.Session, d *bayeux.Delivery) bool {
			d.Set("size", jsontext.Value(fmt.Sprint(len(d.Field("data")))))
			return true
		},
	}}})

	ask := func(body string) string {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/cometd", strings.NewReader(body))
		r.AddCookie(&http.Cookie{Name: "BAYEUX_BROWSER", Value: "a-browser-of-this-example"})
		srv.ServeHTTP(w, r)
		return w.Body.String()
	}
	_, rest, _ := strings.Cut(ask(`{"channel":"/meta/handshake"}`), `"clientId":"`)
	id, _, _ := strings.Cut(rest, `"`)
	ask(`{"channel":"/meta/subscribe","clientId":"` + id + `","subscription":"/a"}`)
	fmt.Println(ask(`{"channel":"/a","clientId":"` + id + `","data":"hello"}`))
	fmt.Println(ask(`{"channel":"/a","clientId":"` + id + `","data":"hello!!!"}`))
	srv.Session(id).Disconnect()
	// Output:
	// [{"channel":"/a","data":"hello","size":7},{"channel":"/a","ext":{"heard":true},"successful":true}]
	// [{"channel":"/a","error":"403::too loud","successful":false}]
}

// A session inside the process takes part like any client.
func ExampleServer_NewLocal() {
	srv := bayeux.New(bayeux.Options{})
	heard := make(chan string, 2)
	local, err := srv.NewLocal(func(message jsontext.Value) { heard <- string(message) })
	if err != nil {
		fmt.Println(err)
		return
	}
	defer local.Close()
	if err := local.Subscribe("/weather/**"); err != nil {
		fmt.Println(err)
	}
	if err := srv.Publish("/weather/bonn", []byte(`{"rain":true}`)); err != nil {
		fmt.Println(err)
	}
	if err := local.Publish("/weather/bonn/beuel", []byte(`{"rain":false}`)); err != nil {
		fmt.Println(err)
	}
	fmt.Println(<-heard)
	fmt.Println(<-heard)
	// Output:
	// {"channel":"/weather/bonn","data":{"rain":true}}
	// {"channel":"/weather/bonn/beuel","data":{"rain":false}}
}
