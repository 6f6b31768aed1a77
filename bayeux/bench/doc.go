// Package bench holds the benchmarks of the Bayeux server that need no
// sockets: fanning out, and a great many sessions that do nothing. The
// comparison with other servers is in its directories compare, server and
// rivals; run.sh runs everything.
package bench
