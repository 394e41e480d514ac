package rollout_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// lets asks that a promotion goes on, and returns what is said.
func (p *process) lets(to string) (said []string, notices []rollout.Notice, err error) {
	notices, err = p.engine.Resume(p.t.Context(), rollout.ResumeRequest{
		Namespace: p.namespace, Application: "api", To: to, Clusters: p.on, Progress: func(line string) { said = append(said, line) },
	})
	return said, notices, err
}

// isResumed lets a promotion go on from its gates, through whatever meets the write: an
// answer that is lost, a label that somebody sets in between, a promotion that has gone on.
func isResumed(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	canary := release.Canary{Steps: []release.CanaryStep{{Weight: 10, Gate: release.GateManual}, {Weight: 50, Gate: release.GateManual}}}
	v1, v2 := l.name("v1"), l.name("v2")
	writes := func(r *testcluster.Request) bool {
		return r.Method != http.MethodGet && strings.Contains(r.Path, "/configmaps/api-switchback")
	}
	var once sync.Once
	label := func() {
		_, err := c.Client().CoreV1().ConfigMaps(l.namespace).Patch(t.Context(), "api-switchback", types.MergePatchType, []byte(`{"metadata":{"labels":{"team":"shop"}}}`), metav1.PatchOptions{})
		must(t, err)
	}
	labelled := func(r *testcluster.Request, _ int) testcluster.Fault {
		if writes(r) {
			once.Do(label)
		}
		return testcluster.Fault{}
	}
	for i, fault := range []func(*testcluster.Request, int) testcluster.Fault{testcluster.OnNth(1, writes, testcluster.LostReply()), labelled} {
		done, err := p.sharing(t.Context(), "v2", canary, nil)
		if must(t, err); done.Status != release.MainPaused || !strings.Contains(done.Reason, "switchback_resume") {
			t.Fatalf("it ends as %s, %s", done.Status, done.Reason)
		}
		l.proxy.Reset()
		_, _, err = p.lets(l.name("v3"))
		var refused *release.ResumeError
		if !errors.As(err, &refused) {
			t.Errorf("another one is let go on: %v", err)
		}
		if n := len(l.proxy.Writes()); n > 0 {
			t.Errorf("what is refused makes %d writes", n)
		}
		l.proxy.SetFault(fault)
		said, notices, err := p.lets("")
		l.proxy.SetFault(nil)
		if must(t, err); len(said) != 1 || !strings.Contains(said[0], v2+" ") || len(notices) > 0 {
			t.Errorf("%d: it says %q, %v", i, said, notices)
		}
		entries := l.history()
		if last := entries[len(entries)-1]; last.Operation != release.OperationResume || last.From != v1 || last.To != v2 || last.By == "" {
			t.Errorf("%d: the history ends with %+v", i, last)
		}
		if n := strings.Count(strings.Join(l.short(entries), ", "), "resume"); n != i+1 {
			t.Errorf("%d: the history has %q", i, l.short(entries))
		}
		l.wantEvent("api", release.EventResumed, "go on, by "+entries[len(entries)-1].By)
		l.pointerWaits(p, false)
		l.wantSplit(p, release.Split{v1: 100 - []int{10, 50}[i], v2: []int{10, 50}[i]})
	}
	done, err := p.sharing(t.Context(), "v2", canary, nil)
	if must(t, err); done.Status != release.MainFinalized {
		t.Fatalf("it ends as %s, %s", done.Status, done.Reason)
	}
	l.proxy.Reset()
	said, notices, err := p.lets("")
	if must(t, err); len(said) > 0 || len(notices) != 1 || !strings.Contains(notices[0].Detail, v2+" is the main deployment") {
		t.Errorf("with nothing to resume, it says %q, %v", said, notices)
	}
	if n := len(l.proxy.Writes()); n > 0 {
		t.Errorf("with nothing to resume, it makes %d writes", n)
	}
}
