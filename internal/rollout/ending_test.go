package rollout_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// holdOne keeps one pod of v1 from ending, and returns its name and what lets it.
func (s *service) holdOne() (pod string, letGo func()) {
	s.t.Helper()
	client := s.cluster.Client().CoreV1().Pods(s.namespace)
	list, err := client.List(s.t.Context(), metav1.ListOptions{LabelSelector: release.LabelDeployment + "=" + s.name("v1")})
	if err != nil {
		s.t.Fatal(err)
	}
	pod = list.Items[0].Name
	finalizers := func(patch string) {
		s.t.Helper()
		if _, err := client.Patch(s.t.Context(), pod, types.MergePatchType, []byte(`{"metadata":{"finalizers":`+patch+`}}`), metav1.PatchOptions{}); err != nil {
			s.t.Error(err)
		}
	}
	finalizers(`["example.com/hold"]`)
	return pod, func() { finalizers("null") }
}

// namesEnding says that a warning names the pod, and that the change stands.
func namesEnding(notices []rollout.Notice, pod string) bool {
	return slices.ContainsFunc(notices, func(n rollout.Notice) bool {
		return strings.Contains(n.Detail, pod) && strings.Contains(n.Detail, "the change has succeeded")
	})
}

// TestOldPodsThatEndSlowly do not take a good change back: it succeeds, and names
// them. v1 is only replaced by new pods that are ready.
func TestOldPodsThatEndSlowly(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spec    func(*service) release.Spec
		restart bool
		version string
	}{
		"another content": {func(s *service) release.Spec { return s.rolling("v2", nil) }, false, "v2"},
		"a restart":       {func(s *service) release.Spec { return s.rolling("v1", triggered("rotated")) }, true, "v1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := inPlace(t)
			held, letGo := s.holdOne()
			p, spec := s.process(t), tc.spec(s)
			timing := faultyTiming()
			timing.Settle = 2 * time.Second // beyond the grace period
			p.engine = rollout.New(timing)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			done, err := p.engine.Update(ctx, rollout.UpdateRequest{Spec: spec, Owner: s.owners["v1"], Keep: p.on, Restart: tc.restart})
			if err != nil || done.Status != release.StatusStarted {
				t.Fatalf("%s, %v", done.Status, err)
			}
			if !namesEnding(done.Notices, held) {
				t.Errorf("it says %v", done.Notices)
			}
			letGo()
			if r := s.record("v1"); r.Status != release.StatusStarted || r.Version != tc.version || r.Busy() {
				t.Errorf("the record is %+v", r)
			}
			if s.workload("v1").Annotations[release.AnnotationVersion] != tc.version {
				t.Errorf("it is back at %s", s.workload("v1").Annotations[release.AnnotationVersion])
			}
			s.address.NeverEmpty(t)
		})
	}
}

// TestOldPodsOutlastTheOperation: also where its time is up before their grace
// period is, the change stands.
func TestOldPodsOutlastTheOperation(t *testing.T) {
	t.Parallel()
	s := inPlace(t)
	held, letGo := s.holdOne()
	defer letGo()
	p := s.process(t)
	timing := faultyTiming()
	timing.Settle = time.Hour
	p.engine = rollout.New(timing)
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	done, err := p.engine.Update(ctx, rollout.UpdateRequest{Spec: s.rolling("v2", nil), Owner: s.owners["v1"], Keep: p.on})
	if err != nil || done.Status != release.StatusStarted || !namesEnding(done.Notices, held) {
		t.Errorf("%s, %v, %v", done.Status, done.Notices, err)
	}
	if ctx.Err() != nil {
		t.Error("it has used up its time")
	}
	if r := s.record("v1"); r.Version != "v2" || r.Status != release.StatusStarted {
		t.Errorf("the record is %+v", r)
	}
}
