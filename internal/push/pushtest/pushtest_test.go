package pushtest

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/halley-chat/halley/internal/push"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	StoreSuite(t, func(*testing.T) push.Store { return NewStore() })
}
