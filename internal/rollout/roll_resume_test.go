package rollout_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestRollIsResumed by the action: from the stop that it is in and no other, through whatever
// meets the write, and with who has said so.
func TestRollIsResumed(t *testing.T) {
	t.Parallel()
	s := ofFour(t)
	name := s.name("v1")
	v2 := s.stopping("v2", manually(25), manually(60))
	lets := func(to string) ([]string, []rollout.Notice, error) {
		p := s.once(t)
		defer p.done()
		return p.lets(to)
	}
	silent := func(when, text, to string) {
		t.Helper()
		s.proxy.Reset()
		said, notices, err := lets(to)
		if must(t, err); len(said) > 0 || len(notices) != 1 || !strings.Contains(notices[0].Detail, text) || len(s.proxy.Writes()) > 0 {
			t.Errorf("%s, it says %q, %v, and writes %v", when, said, notices, s.proxy.Writes())
		}
	}
	silent("with nothing to resume", name+" is not paused: its status is started", "")
	var hits atomic.Int32
	writes := func(r *testcluster.Request) bool {
		is := r.Method != http.MethodGet && strings.Contains(r.Path, "/configmaps/"+name)
		if is {
			hits.Add(1)
		}
		return is
	}
	var once sync.Once
	labelled := func(r *testcluster.Request, _ int) testcluster.Fault {
		if writes(r) {
			once.Do(func() {
				_, err := s.cluster.Client().CoreV1().ConfigMaps(s.namespace).Patch(t.Context(), name, types.MergePatchType, []byte(`{"metadata":{"labels":{"team":"shop"}}}`), metav1.PatchOptions{})
				must(t, err)
			})
		}
		return testcluster.Fault{}
	}
	for i, fault := range []func(*testcluster.Request, int) testcluster.Fault{testcluster.OnNth(1, writes, testcluster.LostReply()), labelled} {
		done, err := s.updated(t.Context(), t, v2)
		s.pausedAt(done, err, v2, []int32{1, 3}[i])
		if !strings.Contains(done.Reason, "switchback_resume") {
			t.Errorf("it says: %s", done.Reason)
		}
		pods, lines := s.pods("v1"), len(s.history())
		silent("of another release", name+" is the main deployment, and no promotion is open", release.NameOf("api", strings.Repeat("a", 64)))
		hits.Store(0)
		s.proxy.SetFault(fault)
		said, notices, err := lets([]string{"", name}[i])
		s.proxy.SetFault(nil)
		if hits.Load() == 0 {
			t.Errorf("%d: nothing has met its write", i)
		}
		if must(t, err); len(said) != 1 || !strings.Contains(said[0], name+" have the new content") || len(notices) > 0 {
			t.Errorf("%d: it says %q, %v", i, said, notices)
		}
		if now := s.pods("v1"); !slices.Equal(pods, now) || !s.workload("v1").Spec.Paused {
			t.Errorf("%d: the pods are %v, were %v", i, now, pods)
		}
		told := s.history()
		if last := told[len(told)-1]; len(told) != lines+1 || last.Operation != release.OperationResume || last.Deployment != name || last.By == "" {
			t.Errorf("%d: the history says %+v", i, told[lines:])
		}
		s.wantEvent(name, release.EventResumed, "letting the change of "+name+" go on, by "+told[len(told)-1].By)
		s.proxy.Reset()
		if said, _, err = lets(""); err != nil || len(said) != 1 || !strings.Contains(said[0], "already") || len(s.proxy.Writes()) > 0 {
			t.Errorf("%d: asked twice, it says %q, %v", i, said, err)
		}
	}
	if done, err := s.updated(t.Context(), t, v2); err != nil || done.Status != release.StatusStarted {
		t.Fatalf("it ended as %+v: %v", done, err)
	}
	s.runs("v2", v2)
	s.address.NeverEmpty(t)
	s.statuses.allowed(s.life)
}

// TestRollGoesOnAheadOfItsResume: what has gone on by the time of the write is not let go on
// from its next stop.
func TestRollGoesOnAheadOfItsResume(t *testing.T) {
	t.Parallel()
	s := ofFour(t)
	name := s.name("v1")
	v2 := s.stopping("v2", manually(25), manually(60))
	done, err := s.updated(t.Context(), t, v2)
	s.pausedAt(done, err, v2, 1)
	var once sync.Once
	p := s.once(t)
	s.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Method != http.MethodGet && strings.Contains(r.Path, "/configmaps/"+name) {
			once.Do(func() { s.moveOn(t, name) })
		}
		return testcluster.Fault{}
	})
	_, _, err = p.lets("")
	s.proxy.SetFault(nil)
	p.done()
	var refused *release.ResumeError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "has gone on") {
		t.Errorf("it says: %v", err)
	}
	if r := s.record("v1"); r.Roll.Resumed {
		t.Errorf("the next stop is let go on: %+v", r.Roll)
	}
}

// moveOn writes what a run leaves at the next stop.
func (s *service) moveOn(t *testing.T, name string) {
	r := s.record("v1")
	r.Roll = r.Roll.Past(*r.Roll.Stop).In(manually(60), r.Roll.Since.Add(1))
	cm, err := s.cluster.Client().CoreV1().ConfigMaps(s.namespace).Get(t.Context(), name, metav1.GetOptions{})
	must(t, err)
	cm.Data, err = r.Marshal()
	must(t, err)
	_, err = s.cluster.Client().CoreV1().ConfigMaps(s.namespace).Update(t.Context(), cm, metav1.UpdateOptions{})
	must(t, err)
}
