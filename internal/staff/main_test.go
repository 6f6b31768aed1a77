package staff_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/halley-chat/halley/internal/staff"
	"github.com/halley-chat/halley/internal/staff/stafftest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cheap are costs that only a test may use.
var cheap = staff.Params{Memory: 16, Passes: 1, Threads: 1}

const secret = "correct horse"

// house is a store with the account anna and a directory over it.
func house(t *testing.T) (*stafftest.Store, *staff.Directory, staff.Account) {
	t.Helper()
	store := stafftest.NewStore()
	dir := staff.NewDirectory(store, staff.Options{Params: cheap})
	anna, err := dir.Create(t.Context(), staff.Account{Login: "Anna", Name: "Anna", Role: staff.RoleAgent, Capacity: 3}, secret)
	if err != nil {
		t.Fatal(err)
	}
	return store, dir, anna
}
