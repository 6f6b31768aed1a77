package httpx

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks of those who may speak for others: a request that
// comes from one of them comes from whom its X-Forwarded-For names.
type Proxies []netip.Prefix

// Wrap puts the address that a request comes from into its RemoteAddr. Behind
// it everybody can look there, whether or not there is a proxy.
func (p Proxies) Wrap(next http.Handler) http.Handler {
	if len(p) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if from, ok := p.origin(r); ok {
			r = r.WithContext(r.Context()) // a request belongs to whoever made it
			r.RemoteAddr = netip.AddrPortFrom(from, 0).String()
		}
		next.ServeHTTP(w, r)
	})
}

// origin is the last address on the request's way that is no proxy of ours;
// the part of the header before it can be made up by anybody. ok is false if
// the request says no more than its connection does.
func (p Proxies) origin(r *http.Request) (from netip.Addr, ok bool) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	peer, err := netip.ParseAddr(host)
	if err != nil || !p.contains(peer) {
		return netip.Addr{}, false
	}
	way := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(way) {
		a, err := parseHop(strings.TrimSpace(hop))
		if err != nil {
			return from, ok
		}
		from, ok = a.Unmap(), true
		if !p.contains(from) {
			return from, true
		}
	}
	return from, ok
}

// parseHop reads an address. Some proxies write the port as well.
func parseHop(hop string) (netip.Addr, error) {
	if a, err := netip.ParseAddrPort(hop); err == nil {
		return a.Addr(), nil
	}
	return netip.ParseAddr(hop)
}

func (p Proxies) contains(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(p, func(n netip.Prefix) bool { return n.Contains(a) })
}
