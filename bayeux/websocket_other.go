//go:build !unix

package bayeux

// writeAtOnce writes nothing: on this system every write may wait.
func writeAtOnce(uintptr, []byte) int { return 0 }
