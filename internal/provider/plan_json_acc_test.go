package provider_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// planned is what the policies of examples/pipeline read of a plan's JSON.
type planned struct {
	Changes []plannedChange `json:"resource_changes"`
}

type plannedChange struct {
	Address string `json:"address"`
	Type    string `json:"type"`
	Deposed string `json:"deposed"`
	Change  struct {
		Actions []string `json:"actions"`
	} `json:"change"`
}

// plannedIn are the changes of a plan's JSON; which deposed object it is does not
// matter.
func plannedIn(t *testing.T, content []byte) []plannedChange {
	t.Helper()
	var p planned
	if err := json.Unmarshal(content, &p); err != nil {
		t.Fatal(err)
	}
	for i := range p.Changes {
		if p.Changes[i].Deposed != "" {
			p.Changes[i].Deposed = "some"
		}
	}
	return p.Changes
}

// The plans over which tools/policy tests the policies are what Terraform plans: a
// release, one that went back, an address of another name, a destroy.
func TestAccPlansAreAsPoliciesReadThem(t *testing.T) {
	l := newLab(t)
	w := l.workspace()
	wants := func(name, config string, args ...string) {
		t.Helper()
		w.write(config)
		w.do(append([]string{"plan", "-input=false", "-out=tfplan"}, args...)...)
		_, text := w.exec("show", "-json", "tfplan")
		lines := strings.Split(strings.TrimSpace(text), "\n")
		want, err := os.ReadFile(filepath.Join("..", "..", "tools", "policy", "testdata", name+".json"))
		l.must(err)
		if d := cmp.Diff(plannedIn(t, want), plannedIn(t, []byte(lines[len(lines)-1]))); d != "" {
			t.Errorf("%s (-file +plan):\n%s", name, d)
		}
	}
	calm := l.config(l.deployment(image("v1"), replicas(3), createFirst), l.main(keepPrevious(1)))
	bump := l.config(l.deployment(image("v2"), replicas(3), createFirst), l.main(keepPrevious(1), `bake = "9m"`))

	wants("first", calm)
	w.apply(calm)
	wants("bump", bump)
	wants("renamed", strings.ReplaceAll(calm, `application = "api"`, `application = "web"`))
	wants("destroy", calm, "-destroy")

	failed := l.whenBaking(nameOf("v2"), func() { l.failTwo(nameOf("v2")) })
	w.applyFails(bump).tells("Deployment did not pass its bake")
	failed()
	wants("revert", calm)
}
