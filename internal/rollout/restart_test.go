package rollout_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// TestRestartUnderTraffic replaces every pod of the main deployment: its address
// is never empty, and there are never fewer ready pods than before.
func TestRestartUnderTraffic(t *testing.T) {
	t.Parallel()
	l := application(t)
	ctx := t.Context()
	main := l.cluster.WatchMain(t, l.namespace, "api")
	fewest := l.watchReady("v1")
	for name, restart := range map[string]func(*process) error{
		"by itself":    func(p *process) error { _, err := p.engine.Restart(ctx, p.action("v1")); return err },
		"as an update": func(p *process) error { return p.update(ctx, l.desired("v1", triggered("rotated")), true) },
	} {
		before, was := l.pods("v1"), l.workload("v1")
		if err := restart(l.process(t)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		l.stands("v1", release.StatusStarted, 2)
		if slices.ContainsFunc(l.pods("v1"), func(uid types.UID) bool { return slices.Contains(before, uid) }) {
			t.Errorf("%s: not every pod was replaced", name)
		}
		is := l.workload("v1")
		at, err := time.Parse(time.RFC3339, workload.RestartedAt(is))
		if err != nil || time.Since(at) > time.Minute {
			t.Errorf("%s: restarted at %q", name, workload.RestartedAt(is))
		}
		if is.UID != was.UID || is.Annotations[release.AnnotationContentHash] != was.Annotations[release.AnnotationContentHash] {
			t.Errorf("%s: it is another release", name)
		}
	}
	if n := fewest(); n < 2 {
		t.Errorf("at some moment only %d of 2 pods were ready", n)
	}
	main.NeverEmpty(t)

	// Whatever else is applied leaves the pods alone: the same triggers, drift, an
	// adoption, other triggers that no restart was planned for.
	pods := l.pods("v1")
	p := l.process(t)
	if err := errors.Join(
		p.update(ctx, l.desired("v1", triggered("rotated")), true),
		p.update(ctx, l.desired("v1", triggered("rotated")), false),
		p.create(ctx, l.desired("v1", triggered("other"))),
	); err != nil {
		t.Fatal(err)
	}
	l.stands("v1", release.StatusStarted, 2)
	if !slices.Equal(pods, l.pods("v1")) {
		t.Error("pods were replaced that nobody asked for")
	}
}

// TestRestartThatFailsIsTakenBack: the new pods cannot become ready, so that the
// old ones stay.
func TestRestartThatFailsIsTakenBack(t *testing.T) {
	t.Parallel()
	l := application(t)
	main := l.cluster.WatchMain(t, l.namespace, "api")
	fewest, pods, before := l.watchReady("v1"), l.pods("v1"), l.workload("v1")
	// No more pods than there are.
	_, err := l.cluster.Client().CoreV1().ResourceQuotas(l.namespace).Create(t.Context(), quota(len(pods)+len(l.pods("v2"))), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	testcluster.Eventually(t, testcluster.Hang, "the quota to be counted", func() error {
		q, err := l.cluster.Client().CoreV1().ResourceQuotas(l.namespace).Get(t.Context(), "full", metav1.GetOptions{})
		if err == nil && len(q.Status.Used) == 0 {
			err = errors.New("it is not")
		}
		return err
	})
	for name, restart := range map[string]func(*process) error{
		"by itself":    func(p *process) error { _, err := p.engine.Restart(t.Context(), p.action("v1")); return err },
		"as an update": func(p *process) error { return p.update(t.Context(), l.desired("v1", triggered("rotated")), true) },
	} {
		var start *rollout.StartError
		if err := restart(l.process(t)); !errors.As(err, &start) {
			t.Fatalf("%s: %v", name, err)
		}
		r := l.record("v1")
		if r.Status != release.StatusStarted || !strings.HasPrefix(r.Reason, "Deployment failed to restart: ") || r.Busy() {
			t.Errorf("%s: the record is %+v", name, r)
		}
		is := l.workload("v1")
		if workload.RestartedAt(is) != workload.RestartedAt(before) || len(workload.RestartTriggers(is)) > 0 {
			t.Errorf("%s: the workload still says %q for %v", name, workload.RestartedAt(is), workload.RestartTriggers(is))
		}
	}
	if now := l.pods("v1"); !slices.Equal(pods, now) {
		t.Errorf("the pods are %v, were %v", now, pods)
	}
	if n := fewest(); n < 2 {
		t.Errorf("at some moment only %d of 2 pods were ready", n)
	}
	main.Check(t, faultyDrain)
}

func TestRestartIsRefused(t *testing.T) {
	t.Parallel()
	l := application(t)
	p := l.process(t)
	if _, err := p.engine.Stop(t.Context(), p.action("v2")); err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]string{"v2": `has status "stopped", and only what is started can be restarted. Allowed now: deploy, redeploy, start, terminate`, "v9": "there is no such deployment"} {
		if _, err := p.engine.Restart(t.Context(), p.action(version)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", version, err)
		}
	}
	// As an update it has nothing to do.
	if err := p.update(t.Context(), l.desired("v2", func(s *release.Spec) { stopped(s); triggered("rotated")(s) }), true); err != nil {
		t.Fatal(err)
	}
	l.stands("v2", release.StatusStopped, 0)
	if at := workload.RestartedAt(l.workload("v2")); at != "" {
		t.Errorf("it says restarted at %s", at)
	}
	// Another owner's token.
	request := p.action("v1")
	request.Owner = "former"
	var stale *release.StaleOwnerError
	if _, err := p.engine.Restart(t.Context(), request); !errors.As(err, &stale) {
		t.Errorf("with another token: %v", err)
	}
}

// TestActionWaitsForWhoIsAtWork: an action does not interfere with a live
// process, and takes over from a dead one.
func TestActionWaitsForWhoIsAtWork(t *testing.T) {
	t.Parallel()
	l := application(t)
	p := l.process(t)
	// Dead: its heartbeat is an hour away.
	cm, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Get(t.Context(), l.name("v2"), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r := l.record("v2")
	r.Run, r.Holder = "dead", "process 1 on nowhere"
	if cm.Data, err = r.Marshal(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Update(t.Context(), cm, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	var holder *ownership.HolderError
	late(t, 300*time.Millisecond, func(limit time.Duration) bool {
		patient := l.patient(t)
		_, err = patient.engine.Restart(until(t, limit, nil), patient.action("v2"))
		return errors.As(err, &holder) || err == nil
	})
	if holder == nil || !strings.Contains(err.Error(), "process 1 on nowhere") {
		t.Errorf("while it may live: %v", err)
	}
	if _, err := p.engine.Restart(t.Context(), p.action("v2")); err != nil {
		t.Errorf("after its death: %v", err)
	}
	l.stands("v2", release.StatusStarted, 2)
}
