package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestAccLargeDeployment has about as much in its variables, then in its arguments, as
// there is room for, and changes in place, so that Kubernetes keeps both contents
// with their annotations. What is more ends at the plan, before any write.
func TestAccLargeDeployment(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(tag string, argument, variables int) string {
		var env strings.Builder
		for i := range variables {
			fmt.Fprintf(&env, "VARIABLE_%04d = \"x\"\n", i)
		}
		return l.config(l.deployment(image(tag), strategy(release.StrategyRolling),
			fmt.Sprintf("container = { ports = { http = 8080 }, args = [%q], env = {\n%s} }", strings.Repeat("x", argument), env.String())))
	}
	w.apply(config("v1", 1, 5000))
	w.wantState(theDeployment, "status", "started")
	w.wantNoChanges()
	for i, tag := range []string{"v2", "v3"} {
		w.apply(config(tag, 253_000+i, 1)).wantActions(theDeployment, "update")
		w.wantState(theDeployment, "status", "started", "version", tag)
	}
	w.wantNoChanges()

	before := l.workload(inPlaceName).Generation
	for _, tt := range []struct {
		argument, variables int
		tells               []string
	}{
		{254_000, 1, []string{"Deployment too large", "container.args has 254004 bytes"}},
		{1, 9000, []string{"Deployment has too many fields", "container.env has 9000 values"}},
	} {
		w.applyFails(config("v4", tt.argument, tt.variables)).tells(tt.tells...)
	}
	if after := l.workload(inPlaceName).Generation; after != before {
		t.Errorf("generation %d became %d", before, after)
	}
	w.write(config("v3", 253_001, 1))
	w.destroy()
	l.wantNothingLeft()
}
