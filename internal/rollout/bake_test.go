package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

const (
	shortBake = 300 * time.Millisecond
	longBake  = time.Hour // nobody waits for its end
)

// baking are promotions with a bake.
type baking struct {
	d     time.Duration
	token string
	seen  func() // called when the bake begins
}

func (p *process) promoteBaking(ctx context.Context, version string, b baking) (rollout.Promoted, error) {
	defer p.done()
	done, err := p.engine.Promote(ctx, rollout.PromoteRequest{
		Service: p.service(), To: p.name(version), Owner: p.main, Keep: oneStarted, Drain: faultyDrain, Clusters: p.on,
		Bake: b.d, RetryToken: b.token,
		Progress: func(line string) {
			if b.seen != nil && strings.HasPrefix(line, "watching ") {
				b.seen()
			}
		},
	})
	if done.Owner != "" {
		p.main = done.Owner
	}
	return done, err
}

// patchPods overrules the simulated kubelet in the first pods of a version. It
// waits for them, and for what the kubelet says of them: that would overwrite it.
func (l *life) patchPods(version string, most int, patch string) {
	l.t.Helper()
	client := l.cluster.Client().CoreV1().Pods(l.namespace)
	var pods *corev1.PodList
	testcluster.Eventually(l.t, testcluster.Hang, "the pods of "+version, func() (err error) {
		if pods, err = client.List(l.t.Context(), metav1.ListOptions{LabelSelector: release.LabelDeployment + "=" + l.name(version)}); err != nil {
			return err
		}
		if len(pods.Items) == 0 {
			return errors.New("there is none")
		}
		for i := range pods.Items {
			if len(pods.Items[i].Status.ContainerStatuses) == 0 {
				return fmt.Errorf("%s is %s", pods.Items[i].Name, pods.Items[i].Status.Phase)
			}
		}
		return nil
	})
	for i := range pods.Items[:min(most, len(pods.Items))] {
		if _, err := client.Patch(l.t.Context(), pods.Items[i].Name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}, "status"); err != nil {
			l.t.Error(err)
		}
	}
}

// setReady says of the first pods of a version that they are ready, or not.
func (l *life) setReady(version string, most int, ready corev1.ConditionStatus) {
	l.t.Helper()
	l.patchPods(version, most, fmt.Sprintf(`{"status":{"conditions":[{"type":"Ready","status":%q},{"type":"ContainersReady","status":%q}]}}`, ready, ready))
}

// failReady lets no pod of v2 be ready.
func (l *life) failReady() { l.t.Helper(); l.allReady("v2", corev1.ConditionFalse) }

// allReady says of every pod of a version that it is ready, or not, and returns
// when the controllers know: whatever they write next, they write with that.
func (l *life) allReady(version string, ready corev1.ConditionStatus) {
	l.t.Helper()
	l.setReady(version, 99, ready)
	client, want := l.cluster.Client(), ready == corev1.ConditionTrue
	testcluster.Eventually(l.t, testcluster.Hang, "that the controllers know", func() error {
		d, err := client.AppsV1().Deployments(l.namespace).Get(l.t.Context(), l.name(version), metav1.GetOptions{})
		if err != nil {
			return err
		}
		if n := d.Status.ReadyReplicas; !want && n > 0 || want && n < *d.Spec.Replicas {
			return fmt.Errorf("%d pods are ready", n)
		}
		slices, err := client.DiscoveryV1().EndpointSlices(l.namespace).List(l.t.Context(), metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + l.name(version)})
		if err != nil {
			return err
		}
		for i := range slices.Items {
			for _, e := range slices.Items[i].Endpoints {
				if *e.Conditions.Ready != want {
					return fmt.Errorf("%s is ready: %t", e.TargetRef.Name, !want)
				}
			}
		}
		return nil
	})
}

// crashLoop lets a container of one pod crash again and again.
func (l *life) crashLoop(version string) {
	l.t.Helper()
	pods, err := l.cluster.Client().CoreV1().Pods(l.namespace).List(l.t.Context(), metav1.ListOptions{LabelSelector: release.LabelDeployment + "=" + l.name(version)})
	if err != nil {
		l.t.Error(err)
		return
	}
	status := pods.Items[0].Status.ContainerStatuses[0]
	l.patchPods(version, 1, fmt.Sprintf(`{"status":{"conditions":[{"type":"Ready","status":"False"},{"type":"ContainersReady","status":"False"}],
		"containerStatuses":[{"name":%q,"image":%q,"imageID":"","ready":false,"restartCount":4,
			"state":{"running":null,"waiting":{"reason":"CrashLoopBackOff","message":"back-off 40s"}},
			"lastState":{"terminated":{"exitCode":1,"reason":"Error","message":"panic: no database"}}}]}}`, status.Name, status.Image))
}

// heal replaces all pods of a version, and waits until the new ones are ready.
func (l *life) heal(version string) {
	l.t.Helper()
	selector := metav1.ListOptions{LabelSelector: release.LabelDeployment + "=" + l.name(version)}
	if err := l.cluster.Client().CoreV1().Pods(l.namespace).DeleteCollection(l.t.Context(), metav1.DeleteOptions{}, selector); err != nil {
		l.t.Fatal(err)
	}
	testcluster.Eventually(l.t, testcluster.Hang, "new pods", func() error {
		d, err := l.cluster.Client().AppsV1().Deployments(l.namespace).Get(l.t.Context(), l.name(version), metav1.GetOptions{})
		if err == nil && (d.Status.ObservedGeneration < d.Generation || d.Status.ReadyReplicas != *d.Spec.Replicas || d.Status.Replicas != d.Status.ReadyReplicas || slices.Contains(l.restarts(version), 4)) {
			err = fmt.Errorf("%+v", d.Status)
		}
		return err
	})
}

// restarts are how often the containers of a version were restarted.
func (l *life) restarts(version string) []int32 {
	l.t.Helper()
	pods, err := l.cluster.Client().CoreV1().Pods(l.namespace).List(l.t.Context(), metav1.ListOptions{LabelSelector: release.LabelDeployment + "=" + l.name(version)})
	if err != nil {
		l.t.Fatal(err)
	}
	var counts []int32
	for i := range pods.Items {
		for _, s := range pods.Items[i].Status.ContainerStatuses {
			counts = append(counts, s.RestartCount)
		}
	}
	return counts
}

// pointer is what is remembered of the application's address.
func (l *life) pointer() release.Main {
	l.t.Helper()
	cm, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Get(l.t.Context(), "api-switchback", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	main, err := release.ParseMain(cm.Data)
	if err != nil {
		l.t.Fatal(err)
	}
	return *main
}

// wantMain fails the test unless the address leads to a version, and that is all
// that is left of the promotion.
func (l *life) wantMain(version string, previous ...string) {
	l.t.Helper()
	p := l.process(l.t)
	defer p.end()
	o := observe.Mains(l.t.Context(), p.on, l.namespace, "api", "api")[0]
	if o.Err != nil || o.Main == nil {
		l.t.Fatalf("main is %+v", o)
	}
	var names []string
	for _, v := range previous {
		names = append(names, l.name(v))
	}
	if now, _ := o.Split.Stable(); now != l.name(version) || o.Main.Deployment != now || o.Main.Progress != nil || !slices.Equal(o.Main.Previous, names) {
		l.t.Errorf("traffic goes to %s, and main is %+v with checkpoint %+v; want %s after %v", l.version(now), o.Main, o.Main.Progress, version, previous)
	}
}

// inBake is v1 as main with two pods, v2 beside it with three.
func inBake(t *testing.T) *life {
	t.Helper()
	l := application(t)
	p := l.process(t)
	defer p.end()
	three := l.desired("v2", func(s *release.Spec) { s.Replicas = 3 })
	p.must(p.update(t.Context(), three, false))
	return l
}

// TestBakePasses: the old side is not let go of before the bake is over.
func TestBakePasses(t *testing.T) {
	t.Parallel()
	l := inBake(t)
	watch := l.cluster.WatchMain(t, l.namespace, "api")
	looked := false
	done, err := l.once(t).promoteBaking(t.Context(), "v2", baking{d: shortBake, seen: func() {
		looked = true
		main := l.pointer()
		if !main.Names(l.name("v1")) || !main.Names(l.name("v2")) || main.Progress.Status() != release.MainFinalizing {
			t.Errorf("in the bake, main is %+v %+v", main, main.Progress)
		}
	}})
	if err != nil || done.Status != release.MainFinalized || !looked {
		t.Fatalf("%+v, %v, baked: %t", done, err, looked)
	}
	l.wantMain("v2", "v1")
	// What changes nothing about the traffic is not baked.
	if _, err := l.once(t).promoteBaking(t.Context(), "v2", baking{d: longBake, seen: func() { t.Error("it bakes again") }}); err != nil {
		t.Fatal(err)
	}
	watch.Check(t, faultyDrain)
}

// TestBakeFails: each thing that ends a bake returns the traffic, is told, and is
// not tried again before something has changed.
func TestBakeFails(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fail func(*life)
		tell []string
	}{
		"readiness":  {func(l *life) { l.setReady("v2", 2, corev1.ConditionFalse) }, []string{"1 of its 3 pods was ready, and it needs 2"}},
		"crash loop": {func(l *life) { l.crashLoop("v2") }, []string{"was restarted 4 times", "CrashLoopBackOff", "panic: no database", "Try:"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := inBake(t)
			watch := l.cluster.WatchMain(t, l.namespace, "api")
			told := len(l.history())
			done, err := l.once(t).promoteBaking(t.Context(), "v2", baking{d: longBake, token: "once", seen: func() { tt.fail(l) }})
			var bake *rollout.BakeError
			if !errors.As(err, &bake) || bake.Stays() || bake.ID.Name != l.name("v2") || bake.Version != "v2" || done.Moved || done.Status != release.MainRolledBack {
				t.Fatalf("%+v: %v", done, err)
			}
			for _, text := range append(tt.tell, `cluster "prod"`, "Traffic: back where it was.") {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q is not in: %v", text, err)
				}
			}
			l.wantMain("v1")
			breach := l.pointer().Breach
			if breach == nil || breach.To != l.name("v2") || breach.From != l.name("v1") || breach.RetryToken != "once" || !strings.Contains(breach.Reason, bake.Seen) {
				t.Errorf("it remembers %+v", breach)
			}
			if got := l.short(l.history()[told:]); !slices.Equal(got, []string{"promote v1 v2", "rollback v2 v1", "stop v2"}) {
				t.Errorf("the history has %q", got)
			}
			if last := l.history()[told+1]; !strings.Contains(last.Reason, bake.Seen) {
				t.Errorf("of the way back, it has %+v", last)
			}
			watch.Check(t, faultyDrain)
			refusedAndRetried(t, l)
			watch.NeverEmpty(t)
		})
	}
}

// refusedAndRetried goes on where v2 was taken back with the token "once".
func refusedAndRetried(t *testing.T, l *life) {
	t.Helper()
	l.proxy.Reset()
	done, err := l.once(t).promoteBaking(t.Context(), "v2", baking{d: longBake, token: "once"})
	var refused *release.TakenBackError
	if !errors.As(err, &refused) || done.Status != release.MainRolledBack || done.Moved {
		t.Fatalf("%+v: %v", done, err)
	}
	for _, w := range l.proxy.Writes() {
		if !strings.HasSuffix(w.Path, "/leases/api-switchback") && !strings.Contains(w.Path, "reviews") {
			t.Errorf("refusing, it wrote %s %s", w.Method, w.Path)
		}
	}
	// Staying where it is does not let it forget.
	if _, err := l.once(t).promoteBaking(t.Context(), "v1", baking{d: longBake}); err != nil || l.pointer().Breach == nil {
		t.Fatalf("main stays: %v, %+v", err, l.pointer().Breach)
	}
	l.heal("v2")
	if done, err = l.once(t).promoteBaking(t.Context(), "v2", baking{d: shortBake, token: "twice"}); err != nil {
		t.Fatalf("another token: %+v, %v", done, err)
	}
	l.wantMain("v2", "v1")
	if breach := l.pointer().Breach; breach != nil {
		t.Errorf("it still remembers %+v", breach)
	}
}

// TestAnotherReleaseAfterAFailedBake: the refusal is about one release.
func TestAnotherReleaseAfterAFailedBake(t *testing.T) {
	t.Parallel()
	l := inBake(t)
	p := l.process(t)
	if _, err := p.promoteBaking(t.Context(), "v2", baking{d: longBake, seen: func() { l.setReady("v2", 2, corev1.ConditionFalse) }}); err == nil {
		t.Fatal("the bake passed")
	}
	p.must(p.create(t.Context(), l.desired("v3", nil)))
	if _, err := p.promoteBaking(t.Context(), "v3", baking{d: shortBake}); err != nil {
		t.Fatal(err)
	}
	l.wantMain("v3", "v1")
	if breach := l.pointer().Breach; breach != nil {
		t.Errorf("it still remembers %+v", breach)
	}
}

// TestAnotherReleaseAfterABakeThatWasCutOff: what has not passed its bake takes the
// place of nothing that has. It is told, and it is where the traffic goes back to if
// the next one fails, too.
func TestAnotherReleaseAfterABakeThatWasCutOff(t *testing.T) {
	t.Parallel()
	cutOff := func(t *testing.T) *life {
		l := inBake(t)
		ctx, cut := context.WithCancel(t.Context())
		if _, err := l.once(t).promoteBaking(ctx, "v2", baking{d: longBake, seen: cut}); err == nil {
			t.Fatal("the bake passed")
		}
		p := l.process(t)
		p.must(p.create(t.Context(), l.desired("v3", nil)))
		return l
	}
	for name, bake := range map[string]time.Duration{"with a bake": shortBake, "without": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := cutOff(t)
			p := l.process(t)
			done, err := p.promoteBaking(t.Context(), "v3", baking{d: bake})
			must(t, err)
			l.wantMain("v3", "v1")
			if done.Previous != l.name("v1") {
				t.Errorf("before it was %s", l.version(done.Previous))
			}
			if len(done.Notices) != 1 || !strings.Contains(done.Notices[0].Detail, l.name("v2")+" does not count") || !strings.Contains(done.Notices[0].Detail, l.name("v1")+", is kept") {
				t.Errorf("it tells %+v", done.Notices)
			}
			must(t, p.terminate(t.Context(), "v1"))
			must(t, p.terminate(t.Context(), "v2"))
			if left := l.deployments(); !slices.Equal(left, []string{"v1", "v3"}) {
				t.Errorf("there are %v", left)
			}
		})
	}
	t.Run("back to what was before", func(t *testing.T) {
		t.Parallel()
		l := cutOff(t)
		told := len(l.history())
		done, err := l.once(t).promoteBaking(t.Context(), "v1", baking{d: shortBake})
		must(t, err)
		l.wantMain("v1")
		if len(done.Notices) != 1 || !strings.Contains(done.Notices[0].Detail, "Traffic is back on "+l.name("v1")) {
			t.Errorf("it tells %+v", done.Notices)
		}
		if got := l.short(l.history()[told:]); !slices.Equal(got, []string{"rollback v2 v1"}) {
			t.Errorf("the history has %q", got)
		}
	})
	t.Run("the next fails", func(t *testing.T) {
		t.Parallel()
		l := cutOff(t)
		done, err := l.once(t).promoteBaking(t.Context(), "v3", baking{d: longBake, seen: func() { l.allReady("v3", corev1.ConditionFalse) }})
		if err == nil {
			t.Fatal("the bake passed")
		}
		l.wantMain("v2", "v1")
		if len(done.Notices) > 0 {
			t.Errorf("it has taken nobody's place, and tells %+v", done.Notices)
		}
	})
	t.Run("nothing is kept", func(t *testing.T) {
		t.Parallel()
		l := cutOff(t)
		done, err := l.once(t).promoteKeeping(t.Context(), "v3", release.Keep{})
		must(t, err)
		if len(done.Notices) != 1 || !strings.Contains(done.Notices[0].Detail, "The one before it was "+l.name("v1")) || strings.Contains(done.Notices[0].Detail, "is kept") {
			t.Errorf("it tells %+v", done.Notices)
		}
	})
	t.Run("what was before is asked for again", func(t *testing.T) {
		t.Parallel()
		l := cutOff(t)
		p := l.process(t)
		done, err := p.engine.Deploy(t.Context(), p.on, l.desired("v1", nil)) // a create, as where the former object is deposed
		must(t, err)
		wantNotice(t, done.Notices, rollout.GoesOnSummary, l.name("v1"))
		if on := observe.CameBack(t.Context(), p.on, release.ID{Namespace: l.namespace, Name: l.name("v1")}, "api"); len(on) != 1 {
			t.Errorf("at plan it goes on on %v", on)
		}
	})
	t.Run("the next is cut off, too", func(t *testing.T) {
		t.Parallel()
		l := cutOff(t)
		ctx, cut := context.WithCancel(t.Context())
		if _, err := l.once(t).promoteBaking(ctx, "v3", baking{d: longBake, seen: cut}); err == nil {
			t.Fatal("the bake passed")
		}
		p := l.process(t)
		p.must(p.create(t.Context(), l.desired("v4", nil)))
		_, err := p.promoteBaking(t.Context(), "v4", baking{d: shortBake})
		must(t, err)
		l.wantMain("v4", "v1")
	})
}

// TestNothingToGoBackTo: traffic stays, it is told, and the next promotion bakes
// again.
func TestNothingToGoBackTo(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		prepare func(*life, *process) string // the version to promote
		why     string
		before  []string
	}{
		"nothing was main before": {func(l *life, p *process) string {
			p.must(p.unmain(l.t.Context()))
			p.main = ""
			return "v2"
		}, "no deployment was main before", nil},
		"the previous one was stopped in the bake": {func(*life, *process) string { return "v2" }, "is stopped", []string{"v1"}},
		"the previous one was gone in the bake":    {func(*life, *process) string { return "v2" }, "is gone", []string{"v1"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := inBake(t)
			p := l.process(t)
			version := tt.prepare(l, p)
			told := len(l.history())
			done, err := p.promoteBaking(t.Context(), version, baking{d: longBake, seen: func() {
				client := l.cluster.Client().AppsV1().Deployments(l.namespace)
				var err error
				switch tt.why {
				case "is stopped":
					_, err = client.Patch(t.Context(), l.name("v1"), types.MergePatchType, []byte(`{"spec":{"replicas":0}}`), metav1.PatchOptions{})
				case "is gone":
					err = client.Delete(t.Context(), l.name("v1"), metav1.DeleteOptions{})
				}
				if err != nil {
					t.Error(err)
				}
				l.setReady(version, 2, corev1.ConditionFalse)
			}})
			var bake *rollout.BakeError
			var stays *release.NoWayBackError
			if !errors.As(err, &bake) || !bake.Stays() || !errors.As(err, &stays) || !strings.Contains(stays.Reason, tt.why) || !done.Moved || done.Status != release.MainFailed {
				t.Fatalf("%+v: %v", done, err)
			}
			o := observe.Mains(t.Context(), p.on, l.namespace, "api", "api")[0]
			if now, _ := o.Split.Stable(); now != l.name(version) {
				t.Errorf("traffic goes to %s", l.version(now))
			}
			main := l.pointer()
			if main.Progress == nil || main.Progress.Status() != release.MainFailed || len(tt.before) > 0 && !main.Names(l.name("v1")) {
				t.Errorf("main is %+v %+v", main, main.Progress)
			}
			if lines := l.short(l.history()[told:]); len(lines) != 2 || !strings.HasSuffix(lines[1], " failed") {
				t.Errorf("the history has %q", lines)
			}
			l.allReady(version, corev1.ConditionTrue)
			baked := false
			if _, err := l.once(t).promoteBaking(t.Context(), version, baking{d: shortBake, seen: func() { baked = true }}); err != nil || !baked {
				t.Fatalf("the next promotion: %v, baked: %t", err, baked)
			}
			l.wantMain(version, tt.before...)
			if breach := l.pointer().Breach; breach != nil {
				t.Errorf("it still remembers %+v", breach)
			}
		})
	}
}

// TestInterruptedBake: traffic stays on what was well so far, the old side is
// kept, and the next promotion bakes again, and can go back.
func TestInterruptedBake(t *testing.T) {
	t.Parallel()
	for _, passes := range []bool{true, false} {
		t.Run(fmt.Sprintf("passes=%t", passes), func(t *testing.T) {
			t.Parallel()
			l := inBake(t)
			watch := l.cluster.WatchMain(t, l.namespace, "api")
			ctx, cancel := context.WithCancel(t.Context())
			done, err := l.once(t).promoteBaking(ctx, "v2", baking{d: longBake, seen: cancel})
			if !errors.Is(err, context.Canceled) || !done.Moved || done.Status != release.MainFinalizing {
				t.Fatalf("%+v: %v", done, err)
			}
			main := l.pointer()
			if main.Deployment != l.name("v2") || !main.Names(l.name("v1")) {
				t.Fatalf("main is %+v %+v", main, main.Progress)
			}
			baked := false
			b := baking{d: shortBake, seen: func() { baked = true }}
			if !passes {
				b = baking{d: longBake, seen: func() { baked = true; l.setReady("v2", 2, corev1.ConditionFalse) }}
			}
			done, err = l.once(t).promoteBaking(t.Context(), "v2", b)
			if (err == nil) != passes || !baked {
				t.Fatalf("%+v, baked: %t: %v", done, baked, err)
			}
			if passes {
				l.wantMain("v2", "v1")
			} else {
				l.wantMain("v1")
			}
			watch.Check(t, faultyDrain)
		})
	}
}

// TestBakeKilledAfterEveryWrite kills a promotion with a bake when a write is
// done that it does not know of. Another one does the same then, and ends where
// an undisturbed one would have.
func TestBakeKilledAfterEveryWrite(t *testing.T) {
	t.Parallel()
	for passes, writes := range map[bool]int{true: 6, false: 16} {
		t.Run(fmt.Sprintf("passes=%t", passes), func(t *testing.T) {
			t.Parallel()
			testcluster.EveryDeath(t, writes, func(t *testing.T, k int) bool { return bakeKilledAt(t, passes, k) })
		})
	}
}

func bakeKilledAt(t *testing.T, passes bool, k int) (hit bool) {
	t.Helper()
	l := inBake(t)
	main := l.cluster.WatchMain(t, l.namespace, "api")
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	l.proxy.Reset()
	death := l.proxy.DiesAfter(k, ownWrite, kill)
	l.proxy.SetFault(death.Fault)
	b := baking{d: shortBake}
	if !passes {
		b = baking{d: longBake, seen: func() { l.setReady("v2", 2, corev1.ConditionFalse) }}
	}
	_, err := l.once(t).promoteBaking(ctx, "v2", b)
	l.proxy.SetFault(nil)
	what, dead := death.Last()
	if dead {
		var interrupted *cluster.InterruptedError
		if err != nil && !errors.Is(err, context.Canceled) && !errors.As(err, &interrupted) {
			t.Logf("killed, it says: %v", err)
		}
		_, err = l.once(t).promoteBaking(t.Context(), "v2", b)
	}
	if passes {
		if err != nil {
			t.Fatalf("after %q: %v\n%s", what, err, l.log())
		}
		l.wantMain("v2", "v1")
	} else {
		wantTakenBack(t, l, b, what, err)
	}
	main.NeverEmpty(t)
	t.Logf("killed after %q", what)
	return dead
}

// wantTakenBack: whether the bake failed before the kill or after, traffic is
// back, and the release is not tried a third time.
func wantTakenBack(t *testing.T, l *life, b baking, what string, err error) {
	t.Helper()
	var bake *rollout.BakeError
	var refused *release.TakenBackError
	if !errors.As(err, &bake) && !errors.As(err, &refused) {
		t.Fatalf("after %q: %v\n%s", what, err, l.log())
	}
	l.wantMain("v1")
	b.seen = func() { t.Errorf("after %q, it is tried again", what) }
	if _, err := l.once(t).promoteBaking(t.Context(), "v2", b); !errors.As(err, &refused) {
		t.Fatalf("after %q, the next one: %v", what, err)
	}
	l.wantMain("v1")
}
