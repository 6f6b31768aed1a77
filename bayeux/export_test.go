package bayeux

// Remains is what a server still keeps, for tests that look for leaks.
type Remains struct{ Sessions, Sockets, Holds, Browsers, Addresses, Names int }

// Remains counts it.
func (srv *Server) Remains() (r Remains) {
	srv.mu.RLock()
	r = Remains{len(srv.sessions), len(srv.open), len(srv.holds), len(srv.browsers), len(srv.address), 0}
	srv.mu.RUnlock()
	for i := range srv.hub.shards {
		sh := &srv.hub.shards[i]
		sh.mu.RLock()
		r.Names += len(sh.members)
		sh.mu.RUnlock()
	}
	return r
}

// Held says whether a connect of the session is held.
func (s *Session) Held() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held != nil
}
