package config

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// nameForm is what services and queues may be called: a service's name is part
// of a channel's and of a URL.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// hostForm is what a host may be called.
var hostForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9_.-]{0,251}[a-z0-9])?$`)

// The bounds of an offer's time.
const (
	minOfferTime = 100 * time.Millisecond
	maxOfferTime = 10 * time.Minute
)

// Validate says everything that is wrong with a configuration, in the order of
// the keys. The error is of type [*Faults].
func (c Config) Validate() error {
	if faults := c.faults(); len(faults) > 0 {
		return &Faults{List: faults}
	}
	return nil
}

func (c Config) faults() []Fault {
	var v validation
	v.hostPort("listen", c.Listen)
	if strings.TrimSpace(c.Data) == "" {
		v.fault("data", "a directory is needed")
	}
	if c.MinFreeSpace < -1 {
		v.fault("min_free_space", "%d is neither -1, which is no watch, nor a number of bytes", c.MinFreeSpace)
	}
	for _, s := range c.TrustedProxies {
		if _, err := ParseNetwork(s); err != nil {
			v.fault("trusted_proxies", "%v", err)
		}
	}
	for _, s := range c.UnlimitedNetworks {
		if _, err := ParseNetwork(s); err != nil {
			v.fault("unlimited_networks", "%v", err)
		}
	}
	v.limit("sessions_per_address", c.MaxSessions)
	for _, h := range c.Hosts {
		if !hostForm.MatchString(h) {
			v.fault("hosts", "%q is not the name of a host in lower case, without a port", h)
		}
	}
	if c.Admin.Listen != "" {
		v.hostPort("admin.listen", c.Admin.Listen)
	}
	if c.TLS != nil && (c.TLS.Cert == "" || c.TLS.Key == "") {
		v.fault("tls", "both a cert and a key are needed")
	}
	if f := c.Log.Format; f != "" && f != LogText && f != LogJSON {
		v.fault("log.format", "%q is neither %q nor %q", f, LogText, LogJSON)
	}
	if !slices.Contains([]string{"", "debug", "info", "warn", "error"}, c.Log.Level) {
		v.fault("log.level", "%q is none of debug, info, warn and error", c.Log.Level)
	}
	if len(c.Services) == 0 {
		v.fault("services", "at least one service is needed")
	}
	for _, name := range sorted(c.Services) {
		c.validateService(&v, name)
	}
	for _, name := range sorted(c.Queues) {
		c.validateQueue(&v, name)
	}
	c.Desk.validate(&v)
	c.Push.validate(&v)
	return v.faults
}

// sorted are the keys of a map in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// ParseNetwork reads one entry of [Config.TrustedProxies] or
// [Config.UnlimitedNetworks]: an address, or a network such as "10.0.0.0/8".
func ParseNetwork(s string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(s); err == nil && ip.Zone() == "" {
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil || p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q is not an address or a network, such as %q", s, "10.0.0.0/8")
	}
	return p, nil
}

type validation struct{ faults []Fault }

// hostPort checks what is to be listened at.
func (v *validation) hostPort(key, address string) {
	if _, port, err := net.SplitHostPort(address); err != nil {
		v.fault(key, "%q is not host:port", address)
	} else if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		v.fault(key, "%q is not a port", port)
	}
}

func (v *validation) fault(key, format string, args ...any) {
	v.faults = append(v.faults, Fault{Key: key, Reason: fmt.Sprintf(format, args...)})
}

func (c Config) validateService(v *validation, name string) {
	key, s := "services."+name, c.Services[name]
	if !nameForm.MatchString(name) {
		v.fault(key, "a name has 1 to 64 letters, digits and _ . - and begins with a letter or digit")
	}
	if _, ok := c.Queues[s.Queue]; !ok {
		v.fault(key+".queue", "there is no queue %q", s.Queue)
	}
	s.Lifecycle.validate(v, key)
	s.Files.validate(v, key+".files")
	for _, o := range s.Origins {
		if !validOrigin(o) {
			v.fault(key+".origins", `%q is not an origin: "https://host" or "http://host:port" without a path, "null" or "*"`, o)
		}
	}
	c.validateEntry(v, key, s.Entry)
	s.Limits.validate(v, key)
	s.Behavior.validate(v, key)
	s.Hours.validate(v, key+".hours")
}

// validOrigin says whether a browser can send o as an Origin header, so that
// an origin that could never match is found before the page is.
func validOrigin(o string) bool {
	if o == All || o == "null" {
		return true
	}
	u, err := url.Parse(o)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && o == strings.ToLower(o) &&
		o == u.Scheme+"://"+u.Host && !strings.Contains(u.Host, "*") &&
		!(u.Scheme == "http" && u.Port() == "80") && !(u.Scheme == "https" && u.Port() == "443") && !strings.HasSuffix(u.Host, ":")
}

func (c Config) validateQueue(v *validation, name string) {
	key, q := "queues."+name, c.Queues[name]
	if !nameForm.MatchString(name) {
		v.fault(key, "a name has 1 to 64 letters, digits and _ . - and begins with a letter or digit")
	}
	if len(q.Members)+len(q.Reserve) == 0 {
		v.fault(key+".members", `nobody takes the chats of this queue; "*" stands for everybody`)
	}
	for _, list := range []struct {
		key    string
		logins []string
	}{{key + ".members", q.Members}, {key + ".reserve", q.Reserve}} {
		seen := make(map[string]bool)
		for _, login := range list.logins {
			switch {
			case login == All && list.key == key+".reserve":
				v.fault(list.key, `"*" can only stand among the members`)
			case login == "" || login != strings.ToLower(strings.TrimSpace(login)):
				v.fault(list.key, "%q is not a login; logins are lower case", login)
			case seen[login]:
				v.fault(list.key, "%q stands there twice", login)
			}
			seen[login] = true
		}
	}
	for _, login := range q.Reserve {
		if slices.Contains(q.Members, login) {
			v.fault(key+".reserve", "%q is a member already", login)
		}
	}
	if d := time.Duration(q.OfferTime); d < minOfferTime || d > maxOfferTime {
		v.fault(key+".offer_time", "%s is not between %s and %s", d, minOfferTime, maxOfferTime)
	}
	if d := time.Duration(q.ReserveAfter); d < 0 || d > time.Hour {
		v.fault(key+".reserve_after", "%s is not between 0s and 1h", d)
	}
}
