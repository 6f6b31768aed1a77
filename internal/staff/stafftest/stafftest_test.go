package stafftest_test

import (
	"testing"

	"github.com/halley-chat/halley/internal/staff"
	"github.com/halley-chat/halley/internal/staff/stafftest"
)

func TestMemory(t *testing.T) {
	stafftest.StoreSuite(t, func(*testing.T) staff.Store { return stafftest.NewStore() })
}
