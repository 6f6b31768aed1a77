package config

import "slices"

// Entry is what a service wants before it opens a chat.
type Entry struct {
	// Required are the fields without which no chat is opened, of those in
	// [RequiredFields].
	Required []string `toml:"required_fields"`
	// CheckEmail refuses an e-mail address that cannot be one.
	CheckEmail bool `toml:"check_email"`
	// Endpoints are queues that a client may choose, by what it calls them. Any
	// other endpoint leads to the service's own queue.
	Endpoints map[string]string `toml:"endpoints"`
}

// RequiredFields are what [Entry.Required] may hold. A name is any name: a
// nickname, a first or a last name.
func RequiredFields() []string { return []string{"first_name", "last_name", "name", "email"} }

func (c Config) validateEntry(v *validation, key string, e Entry) {
	for i, f := range e.Required {
		switch {
		case !slices.Contains(RequiredFields(), f):
			v.fault(key+".required_fields", "%q is not one of %q", f, RequiredFields())
		case slices.Contains(e.Required[:i], f):
			v.fault(key+".required_fields", "%q stands there twice", f)
		}
	}
	for _, name := range sorted(e.Endpoints) {
		at := key + ".endpoints." + name
		if name == "" || len(name) > maxEndpoint {
			v.fault(at, "an endpoint has 1 to %d bytes", maxEndpoint)
		}
		if _, ok := c.Queues[e.Endpoints[name]]; !ok {
			v.fault(at, "there is no queue %q", e.Endpoints[name])
		}
	}
}

// maxEndpoint is the longest name of an endpoint in bytes.
const maxEndpoint = 128
