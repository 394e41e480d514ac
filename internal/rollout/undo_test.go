package rollout_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// theirsHaveItBackAsked: somebody takes the first promotion back from a pause, in which
// nobody holds a Lease. The rule is as it was, byte for byte, and nothing is main.
func theirsHaveItBackAsked(t *testing.T, c *testcluster.Cluster) {
	l, p := behindTheirs(t, c)
	before, err := json.Marshal(l.theirs().Spec)
	must(t, err)
	undo := func() (rollout.Promoted, error) { return l.process(t).undoes(t.Context()) }
	held := steps(10)
	held.MaxWeight = 10
	_, err = p.sharing(t.Context(), "v1", held, nil)
	must(t, err)
	l.wantSplit(p, release.Split{"old": 90, l.name("v1"): 10})
	done, err := undo()
	if err != nil || done.Status != release.MainRolledBack {
		t.Fatalf("it ends as %s: %v", done.Status, err)
	}
	after, err := json.Marshal(l.theirs().Spec)
	must(t, err)
	if !bytes.Equal(after, before) {
		t.Errorf("the route was\n%s\nand is\n%s", before, after)
	}
	l.wantNo("the Service", &corev1.Service{})
	entries := l.history()
	if last := entries[len(entries)-2]; !strings.Contains(last.Sentence(), "rollback from "+l.name("v1")+" to old") || !strings.Contains(last.Reason, "asked on cluster") {
		t.Errorf("the history says %q: %q", last.Sentence(), last.Reason)
	}
	if _, err := undo(); err != nil {
		t.Errorf("once more, with nothing to take back: %v", err)
	}
	p = l.process(t)
	l.wantLeft(p.tries("v1", "", held), " asked to go back")
	must(t, p.deploy(t.Context(), "v2"), p.tries("v2", "", steps(10))) // another one lifts that
	l.wantMain("v2")
	must(t, p.tries("v1", "", steps(10)))
	l.wantMain("v1", "v2")
}
