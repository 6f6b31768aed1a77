// Package app puts the parts together: it is the only one that knows
// everybody. [New] opens what a server needs, [App.Run] serves until its
// context ends and then lets everybody go home in order.
package app
