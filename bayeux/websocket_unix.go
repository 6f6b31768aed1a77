//go:build unix

package bayeux

import "syscall"

// writeAtOnce writes what the system takes without waiting; a negative number
// means nothing, for whatever reason. Go's sockets do not block.
func writeAtOnce(fd uintptr, b []byte) int {
	n, _ := syscall.Write(int(fd), b)
	return n
}
