package terminal

import (
	"context"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// TestOnward: who has lost to somebody else's move is told where to look.
func TestOnward(t *testing.T) {
	t.Parallel()
	d := deed{name: "api", do: func(context.Context, *rollout.Engine, func(string)) (string, []rollout.Notice, error) {
		return "", nil, &release.MovedError{Cluster: "eu", ID: "shop/api", Was: "api-2", Is: "api-3"}
	}}
	_, _, err := d.onward("rollback", "shop").do(t.Context(), nil, nil)
	if err == nil || !strings.HasSuffix(err.Error(), "is api-3 now. The traffic was not touched. Look at where it is now, and decide again: kubectl switchback get api --namespace shop") {
		t.Errorf("it says: %v", err)
	}
}
