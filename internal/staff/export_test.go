package staff

import "testing"

// RawHash is the hash of a password as it was typed.
func RawHash(t *testing.T, p Params, password string) string {
	t.Helper()
	phc, err := newHasher(p).hash(t.Context(), password)
	if err != nil {
		t.Fatalf("hash: got %v, want nil", err)
	}
	return phc
}
