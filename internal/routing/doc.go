// Package routing decides which agent gets which chat. [Assign] is the whole
// of the rules, and pure; [Router] is the one goroutine that runs them.
package routing
