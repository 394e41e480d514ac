package rollout_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/diagnose"
	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// verb is one operation, with what it tells.
type verb struct {
	name string
	do   func(context.Context, *process) ([]rollout.Notice, error)
}

// bringing is an update to a specification that has its own owner.
func bringing(spec func(*life) release.Spec, restart bool) func(context.Context, *process) ([]rollout.Notice, error) {
	return func(ctx context.Context, p *process) ([]rollout.Notice, error) {
		s := spec(p.life)
		done, err := p.engine.Update(ctx, rollout.UpdateRequest{Spec: s, Owner: p.owners[s.Content.Version], Keep: p.on, Restart: restart})
		return done.Notices, err
	}
}

func creating(spec func(*life) release.Spec) func(context.Context, *process) ([]rollout.Notice, error) {
	return func(ctx context.Context, p *process) ([]rollout.Notice, error) {
		s := spec(p.life)
		done, err := p.engine.Deploy(ctx, p.on, s)
		p.owners[s.Content.Version] = done.Owner
		return done.Notices, err
	}
}

func promoting(version string) func(context.Context, *process) ([]rollout.Notice, error) {
	return func(ctx context.Context, p *process) ([]rollout.Notice, error) {
		done, err := p.promoteKeeping(ctx, version, release.Keep{Count: 1})
		return done.Notices, err
	}
}

func onRelease(version string, do func(*rollout.Engine, context.Context, rollout.ActionRequest) (rollout.Deployed, error)) func(context.Context, *process) ([]rollout.Notice, error) {
	return func(ctx context.Context, p *process) ([]rollout.Notice, error) {
		done, err := do(p.engine, ctx, p.action(version))
		return done.Notices, err
	}
}

func unmaining(ctx context.Context, p *process) ([]rollout.Notice, error) {
	return p.engine.Unmain(ctx, rollout.UnmainRequest{Service: p.service(), Owner: p.main, Clusters: p.on})
}

func terminating(version string) func(context.Context, *process) ([]rollout.Notice, error) {
	return func(ctx context.Context, p *process) ([]rollout.Notice, error) {
		return p.engine.Terminate(ctx, rollout.TerminateRequest{
			ID: release.ID{Namespace: p.namespace, Name: p.name(version)}, Application: "api", Owner: p.owners[version], Clusters: p.on,
		})
	}
}

func two(version string, change func(*release.Spec)) func(*life) release.Spec {
	return func(l *life) release.Spec { return l.desired(version, change) }
}

func rolled(version string, change func(*release.Spec)) func(*life) release.Spec {
	return func(l *life) release.Spec { return l.rolling(version, change) }
}

// TestAVerbThatSucceedsIsSilent: what goes as it was asked to has nothing to warn
// of.
func TestAVerbThatSucceedsIsSilent(t *testing.T) {
	t.Parallel()
	moreReplicas := func(s *release.Spec) { s.Replicas = 3 }
	for name, c := range map[string]struct {
		begin func(*life)
		verbs []verb
	}{
		"side by side": {verbs: []verb{
			{"create v1", creating(two("v1", nil))},
			{"make it main", promoting("v1")},
			{"create v2", creating(two("v2", nil))},
			{"scale", bringing(two("v2", moreReplicas), false)},
			{"restart by triggers", bringing(two("v2", func(s *release.Spec) { moreReplicas(s); triggered("a")(s) }), true)},
			{"stop by its state", bringing(two("v2", stopped), false)},
			{"start by its state", bringing(two("v2", nil), false)},
			{"stop", onRelease("v2", (*rollout.Engine).Stop)},
			{"start", onRelease("v2", (*rollout.Engine).Start)},
			{"restart", onRelease("v2", (*rollout.Engine).Restart)},
			{"promote", promoting("v2")},
			{"roll back", promoting("v1")},
			{"promote with a bake", func(ctx context.Context, p *process) ([]rollout.Notice, error) {
				done, err := p.promoteBaking(ctx, "v2", baking{d: shortBake})
				return done.Notices, err
			}},
			{"let the former one go", terminating("v1")},
			{"take the address away", unmaining},
			{"terminate", terminating("v2")},
		}},
		"in place": {
			begin: func(l *life) {
				l.names = map[string]string{}
				for _, version := range []string{"v1", "v2", "v3"} {
					l.names[version] = l.rolling(version, nil).Name()
				}
			},
			verbs: []verb{
				{"create", creating(rolled("v1", nil))},
				{"make it main", func(ctx context.Context, p *process) ([]rollout.Notice, error) {
					p.owners["v2"], p.owners["v3"] = p.owners["v1"], p.owners["v1"]
					return promoting("v1")(ctx, p)
				}},
				{"bump, rolling", bringing(rolled("v2", nil), false)},
				{"bump, recreate", bringing(rolled("v3", recreate), false)},
				{"and back", bringing(rolled("v1", nil), false)},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t, testcluster.Shared(t))
			if c.begin != nil {
				c.begin(l)
			}
			for _, v := range c.verbs {
				notices, err := v.do(t.Context(), l.process(t))
				if err != nil {
					t.Fatalf("%s: %v", v.name, err)
				}
				for _, n := range notices {
					t.Errorf("%s warns: %s: %s", v.name, n.Summary, n.Detail)
				}
			}
		})
	}
}

func TestAnAdoptionThatSucceedsIsSilent(t *testing.T) {
	t.Parallel()
	l, _ := newAdoptingLife(t)
	for _, v := range []verb{
		{"create", creating(two("v1", nil))}, {"adopt", promoting("v1")}, {"create v2", creating(two("v2", nil))}, {"promote", promoting("v2")}, {"hand back", unmaining},
	} {
		notices, err := v.do(t.Context(), l.process(t))
		if err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		for _, n := range notices {
			t.Errorf("%s warns: %s: %s", v.name, n.Summary, n.Detail)
		}
	}
}

// TestARefusedChangeInPlaceWentNowhere: nothing of it was applied, so nothing went
// back.
func TestARefusedChangeInPlaceWentNowhere(t *testing.T) {
	t.Parallel()
	s := inPlace(t)
	before, pods := s.workload("v1").Generation, s.pods("v1")
	s.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Write() && strings.Contains(r.Path, "/deployments/") {
			return testcluster.Reject(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, "spec.template: Invalid value: a policy does not like it")
		}
		return testcluster.Fault{}
	})
	spec := s.rolling("v2", nil)
	done, err := s.process(t).engine.Update(t.Context(), rollout.UpdateRequest{Spec: spec, Owner: s.owners["v1"], Keep: s.process(t).on})
	s.proxy.SetFault(nil)
	if err == nil || !strings.Contains(err.Error(), "a policy does not like it") {
		t.Fatalf("it is %v", err)
	}
	for _, n := range done.Notices {
		t.Errorf("it warns: %s: %s", n.Summary, n.Detail)
	}
	if d := s.workload("v1"); d.Generation != before || !slices.Equal(s.pods("v1"), pods) {
		t.Errorf("the workload was written: generation %d after %d", d.Generation, before)
	}
	s.runs("v1", s.rolling("v1", nil))
	events, err := s.cluster.Client().EventsV1().Events(s.namespace).List(t.Context(), metav1.ListOptions{})
	must(t, err)
	for _, e := range events.Items {
		if e.Reason == string(release.EventRolledBack) {
			t.Errorf("an Event says %q", e.Note)
		}
	}
}

// holdLease is another run that has the application's Lease for longer than anybody
// waits.
func (l *life) holdLease() {
	l.t.Helper()
	leases := l.cluster.Client().CoordinationV1().Leases(l.namespace)
	lease, err := leases.Get(l.t.Context(), "api-switchback", metav1.GetOptions{})
	must(l.t, err)
	holder, long, now := "process 1 on elsewhere (bakes)", int32(3600), metav1.NowMicro()
	lease.Spec = coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &long, RenewTime: &now}
	_, err = leases.Update(l.t.Context(), lease, metav1.UpdateOptions{})
	must(l.t, err)
}

// TestCleanUpThatFailsIsTold: what goes on running against what was asked for is
// said, with whoever is in the way.
func TestCleanUpThatFailsIsTold(t *testing.T) {
	t.Parallel()
	l := application(t)
	l.holdLease()
	l.names = map[string]string{"v3": l.spec("v3", "demo/missing").Content.Name()}
	p := l.process(t)
	timing := faultyTiming()
	timing.Cleanup = 10 * time.Second // nobody lets the Lease go
	p.engine = rollout.New(timing)
	done, err := p.engine.Deploy(t.Context(), p.on, l.spec("v3", "demo/missing"))
	if err == nil {
		t.Fatal("it did not fail")
	}
	if *l.workload("v3").Spec.Replicas == 0 {
		t.Fatal("it was stopped under somebody else's Lease")
	}
	var left *release.LeftRunningError
	if !errors.As(err, &left) || left.ID.Name != l.name("v3") || !strings.Contains(left.Error(), "process 1 on elsewhere (bakes)") || !strings.Contains(left.Next(), "scale deployment "+l.name("v3")) {
		t.Errorf("it does not tell of its pods: %v", err)
	}
	if len(done.Notices) > 0 {
		t.Errorf("it tells it twice: %+v", done.Notices)
	}
	if strings.Contains(err.Error(), "Left behind") {
		t.Errorf("it says what became of it, which it cannot know: %v", err)
	}
}

// wantNotice fails the test unless one notice of that summary has all the texts.
func wantNotice(t *testing.T, notices []rollout.Notice, summary string, texts ...string) {
	t.Helper()
	for _, n := range notices {
		if n.Summary != summary {
			continue
		}
		for _, text := range texts {
			if !strings.Contains(n.Detail, text) {
				t.Errorf("%q does not say %q: %s", summary, text, n.Detail)
			}
		}
		return
	}
	t.Errorf("nothing says %q: %+v", summary, notices)
}

// TestAFailedCreateSaysWhatItLeft, and keeps what it promises: it is taken up by
// an apply of the same, and removed by the next promotion or the end of main.
func TestAFailedCreateSaysWhatItLeft(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*release.Spec)
		says   string
		pods   int32
		then   func(context.Context, *process) ([]rollout.Notice, error)
	}{
		"stopped, then a promotion": {func(*release.Spec) {}, "without pods", 0, promoting("v2")},
		"kept, then the end":        {func(s *release.Spec) { s.OnFailure = release.OnFailureKeep }, "and its pods run on", 1, unmaining},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := application(t)
			spec := l.spec("v3", "demo/missing")
			c.change(&spec)
			l.names = map[string]string{"v3": spec.Content.Name()}
			_, err := l.process(t).engine.Deploy(t.Context(), l.process(t).on, spec)
			var start *rollout.StartError
			if !errors.As(err, &start) {
				t.Fatalf("it is %v", err)
			}
			for _, text := range []string{"Left behind", c.says, "the next promotion of the application", "kubectl --namespace " + l.namespace + " delete deployment,service,configmap,hpa,pdb --selector " + release.LabelDeployment + "=" + l.name("v3")} {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("it does not say %q: %v", text, err)
				}
			}
			if d := l.workload("v3"); *d.Spec.Replicas != c.pods {
				t.Errorf("it wants %d pods", *d.Spec.Replicas)
			}
			if _, err := c.then(t.Context(), l.process(t)); err != nil {
				t.Fatal(err)
			}
			if left := slices.DeleteFunc(l.objects(), func(o string) bool { return !strings.HasSuffix(o, l.name("v3")) }); len(left) > 0 {
				t.Errorf("it left %v", left)
			}
		})
	}
	t.Run("removed", func(t *testing.T) {
		t.Parallel()
		l := application(t)
		spec := l.spec("v3", "demo/missing")
		spec.OnFailure = release.OnFailureTerminate
		_, err := l.process(t).engine.Deploy(t.Context(), l.process(t).on, spec)
		if err == nil || strings.Contains(err.Error(), "Left behind") {
			t.Errorf("it says %v", err)
		}
	})
}

// TestAFailedFirstCreateSaysAllThatItLeft: the lines that it prints leave nothing,
// and touch nothing of an application that has more.
func TestAFailedFirstCreateSaysAllThatItLeft(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	fails := func(version string) string {
		t.Helper()
		p := l.process(t)
		_, err := p.engine.Deploy(t.Context(), p.on, l.spec(version, "demo/missing"))
		if err == nil || !strings.Contains(err.Error(), "Left behind") {
			t.Fatalf("it is %v", err)
		}
		return err.Error()
	}
	first := fails("v1")
	rest := "kubectl --namespace " + l.namespace + " delete configmap/api-switchback lease/api-switchback"
	if !strings.Contains(first, rest) {
		t.Errorf("it does not say %q: %s", rest, first)
	}
	if second := fails("v2"); strings.Contains(second, rest) {
		t.Errorf("beside another release it says %s", second)
	}
	for _, version := range []string{"v1", "v2"} {
		l.deleteByHand(release.LabelDeployment + "=" + l.spec(version, "demo/missing").Name())
	}
	must(t, l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Delete(t.Context(), "api-switchback", metav1.DeleteOptions{}))
	must(t, l.cluster.Client().CoordinationV1().Leases(l.namespace).Delete(t.Context(), "api-switchback", metav1.DeleteOptions{}))
	if left := l.objects(); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}

// deleteByHand is rollout.ByHand of the kinds that a plain release has.
func (l *life) deleteByHand(selector string) {
	l.t.Helper()
	ctx, these := l.t.Context(), metav1.ListOptions{LabelSelector: selector}
	services, err := l.cluster.Client().CoreV1().Services(l.namespace).List(ctx, these)
	must(l.t, err)
	for _, svc := range services.Items {
		must(l.t, l.cluster.Client().CoreV1().Services(l.namespace).Delete(ctx, svc.Name, metav1.DeleteOptions{}))
	}
	must(l.t, l.cluster.Client().CoreV1().ConfigMaps(l.namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, these))
	must(l.t, l.cluster.Client().AppsV1().Deployments(l.namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, these))
}

// TestCondemnedSaysWhenItGoes: with the main deployment, or by hand where there is
// none.
func TestCondemnedSaysWhenItGoes(t *testing.T) {
	t.Parallel()
	l := application(t)
	notices, err := terminating("v1")(t.Context(), l.process(t))
	must(t, err)
	wantNotice(t, notices, "Deployment still carries traffic and was left running", "until the main deployment has moved to another one or is destroyed")
	_, err = unmaining(t.Context(), l.process(t))
	must(t, err)
	if slices.Contains(l.objects(), "Deployment/"+l.name("v1")) {
		t.Error("it is still there, although the main deployment is gone")
	}
	other := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "other"}, Spec: corev1.ServiceSpec{
		Selector: map[string]string{release.LabelDeployment: l.name("v2")}, Ports: []corev1.ServicePort{{Port: 80}},
	}}
	_, err = l.cluster.Client().CoreV1().Services(l.namespace).Create(t.Context(), other, metav1.CreateOptions{})
	must(t, err)
	notices, err = terminating("v2")(t.Context(), l.process(t))
	must(t, err)
	wantNotice(t, notices, "Deployment still carries traffic and was left running", "no main deployment", "kubectl --namespace "+l.namespace+" delete deployment,service,configmap,hpa,pdb --selector "+release.LabelDeployment+"="+l.name("v2"))
	for _, n := range notices {
		if strings.Contains(n.Detail, "is removed then") {
			t.Errorf("it promises what nobody does: %s", n.Detail)
		}
	}
}

func (l *life) foreignService(name string) {
	l.t.Helper()
	svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "theirs"}, Ports: []corev1.ServicePort{{Port: 80}}}}
	_, err := l.cluster.Client().CoreV1().Services(l.namespace).Create(l.t.Context(), svc, metav1.CreateOptions{})
	must(l.t, err)
}

// promotingAt is under another name of the address.
func promotingAt(service, version string) func(context.Context, *process) ([]rollout.Notice, error) {
	return promotingAs(func(p *process, r *rollout.PromoteRequest) { r.Service.Name, r.To = service, p.name(version) })
}

// promotingAs is a promotion of v2, but for what is changed in the request.
func promotingAs(change func(*process, *rollout.PromoteRequest)) func(context.Context, *process) ([]rollout.Notice, error) {
	return func(ctx context.Context, p *process) ([]rollout.Notice, error) {
		request := rollout.PromoteRequest{Service: p.service(), To: p.name("v2"), Owner: p.main, Keep: oneStarted, Drain: faultyDrain, Clusters: p.on}
		change(p, &request)
		done, err := p.engine.Promote(ctx, request)
		return done.Notices, err
	}
}

// mainIs changes what is written down of the main deployment.
func (l *life) mainIs(change func(*release.Main)) {
	l.t.Helper()
	maps := l.cluster.Client().CoreV1().ConfigMaps(l.namespace)
	cm, err := maps.Get(l.t.Context(), release.MainName("api"), metav1.GetOptions{})
	must(l.t, err)
	main, err := release.ParseMain(cm.Data)
	must(l.t, err)
	change(main)
	data, err := main.Marshal()
	must(l.t, err)
	for key, value := range data {
		cm.Data[key] = value
	}
	_, err = maps.Update(l.t.Context(), cm, metav1.UpdateOptions{})
	must(l.t, err)
}

// scaleBy sets the number of pods as another field manager.
func (l *life) scaleBy(manager, version string, replicas int) {
	l.t.Helper()
	patch := fmt.Appendf(nil, `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":%q},"spec":{"replicas":%d}}`, l.name(version), replicas)
	force := true
	_, err := l.cluster.Client().AppsV1().Deployments(l.namespace).Patch(l.t.Context(), l.name(version), types.ApplyPatchType, patch, metav1.PatchOptions{FieldManager: manager, Force: &force})
	must(l.t, err)
}

// TestALostClaimDoesNotSayThatNothingWasChanged: what another run took over in the
// middle may have been changed before.
func TestALostClaimDoesNotSayThatNothingWasChanged(t *testing.T) {
	t.Parallel()
	l := application(t)
	l.names = map[string]string{"v3": l.spec("v3", "demo/unready-api").Content.Name()}
	applied := l.applied()
	p := l.process(t)
	ended := make(chan error, 1)
	go func() {
		_, err := p.engine.Deploy(t.Context(), p.on, l.spec("v3", "demo/unready-api"))
		ended <- err
	}()
	<-applied
	configMaps := l.cluster.Client().CoreV1().ConfigMaps(l.namespace)
	testcluster.Eventually(t, testcluster.Hang, "another owner", func() error {
		cm, err := configMaps.Get(t.Context(), l.name("v3"), metav1.GetOptions{})
		if err != nil {
			return err
		}
		record, err := release.ParseRecord(cm.Data)
		if err != nil {
			return err
		}
		record.Owner, record.Holder = "another", "process 1 on elsewhere"
		if cm.Data, err = record.Marshal(); err != nil {
			return err
		}
		_, err = configMaps.Update(t.Context(), cm, metav1.UpdateOptions{}) // meets its heartbeats
		return err
	})
	l.setReady("v3", 1, corev1.ConditionTrue) // it goes on to what it writes then
	var taken *release.TakenOverError
	if err := <-ended; !errors.As(err, &taken) || !taken.Claimed || taken.Holder != "process 1 on elsewhere" {
		t.Errorf("it is %v, and told as before the run: %+v", err, taken)
	}
}

// planted is what a policy, a webhook or a record may say to whoever reads it on a
// terminal, with a credential that a cursor move cuts in two.
const planted = "denied \x1b]52;c;ZXZpbA==\a\x1b]0;owned\a\x1b[2J\u009b2J\rApply complete!\b\b\u202egnp\u202c pass\x1b[1Cword=hunter2hunter2 sees /var/run"

// wantClean fails the test where a text would act on a terminal or shows the
// credential, and where what was said is not in it.
func wantClean(t *testing.T, way, text string) {
	t.Helper()
	acts := func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Cf, r)
	}
	if strings.ContainsFunc(text, acts) || strings.Contains(text, "hunter2") || strings.Contains(text, "owned") || strings.Contains(text, "\nApply") {
		t.Errorf("%s has %q", way, text)
	}
	if !strings.Contains(text, "sees /var/run") {
		t.Errorf("%s does not have what was said: %q", way, text)
	}
}

// notebook keeps what is told while something is under way.
type notebook struct {
	mu    sync.Mutex
	lines []string
}

func (n *notebook) Line(_ context.Context, message string, fields map[string]any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, fmt.Sprint(message, fields))
}

// TestWhatIsWrittenDownIsClean: what a cluster says goes into records, the
// history, Events and the log; and what others wrote there comes out as clean.
func TestWhatIsWrittenDownIsClean(t *testing.T) {
	t.Parallel()
	l := application(t)
	p := l.process(t)
	log := &notebook{}
	p.engine.Journal(log)
	l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Write() && strings.HasSuffix(r.Path, "/deployments/"+l.name("v3")) {
			return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, planted)
		}
		return testcluster.Fault{}
	})
	_, err := p.engine.Deploy(t.Context(), p.on, l.desired("v3", nil))
	l.proxy.SetFault(nil)
	if err == nil {
		t.Fatal("it was not refused")
	}
	wantClean(t, "the error", mask.Redact(err.Error())) // as the provider shows it
	wantClean(t, "the record", l.record("v3").Reason)
	wantClean(t, "the history", l.history()[len(l.history())-1].Reason)
	wantClean(t, "the log", strings.Join(slices.DeleteFunc(log.lines, func(line string) bool { return !strings.Contains(line, "denied") }), "\n"))
	testcluster.Eventually(t, testcluster.Hang, "the Event", func() error {
		events, err := l.cluster.Client().EventsV1().Events(l.namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, e := range events.Items {
			if strings.Contains(e.Note, "denied") {
				wantClean(t, "the Event", e.Note)
				return nil
			}
		}
		return errors.New("there is none")
	})

	// What somebody wrote there by hand.
	configMaps := l.cluster.Client().CoreV1().ConfigMaps(l.namespace)
	cm, err := configMaps.Get(t.Context(), l.name("v2"), metav1.GetOptions{})
	must(t, err)
	record, err := release.ParseRecord(cm.Data)
	must(t, err)
	record.Reason, record.Holder, record.CreatedBy, record.CancelRequested = planted, planted, planted, planted
	cm.Data, err = record.Marshal()
	must(t, err)
	_, err = configMaps.Update(t.Context(), cm, metav1.UpdateOptions{})
	must(t, err)
	pointer, err := configMaps.Get(t.Context(), release.MainName("api"), metav1.GetOptions{})
	must(t, err)
	entry := l.history()[0]
	entry.ID, entry.Reason, entry.By, entry.Run.Actor = "planted", planted, planted, planted
	history, err := release.ParseHistory(pointer.Data)
	must(t, err)
	history.Entries = append(history.Entries, entry)
	text, err := json.Marshal(history)
	must(t, err)
	pointer.Data[release.HistoryKey] = string(text)
	_, err = configMaps.Update(t.Context(), pointer, metav1.UpdateOptions{})
	must(t, err)
	l.happen(corev1.ObjectReference{Kind: "Deployment", Name: l.name("v2"), UID: l.workload("v2").UID}, "Planted", planted)
	testcluster.Eventually(t, testcluster.Hang, "what was written", func() error {
		fresh := l.process(t)
		o := observe.Releases(t.Context(), fresh.on, release.ID{Namespace: l.namespace, Name: l.name("v2")})[0]
		if o.Err != nil || o.Record.Reason == "" {
			return fmt.Errorf("%+v", o)
		}
		for way, text := range map[string]string{"a reason": o.Record.Reason, "a holder": o.Record.Holder, "who made it": o.Record.CreatedBy} {
			wantClean(t, way, text)
		}
		entries := observe.Histories(t.Context(), fresh.on, l.namespace, "api")[0].Entries
		last := entries[slices.IndexFunc(entries, func(e release.Entry) bool { return e.ID == "planted" })]
		wantClean(t, "a line of the history", last.Reason)
		found, err := diagnose.EventsOf(t.Context(), fresh.on, diagnose.EventQuery{ID: release.ID{Namespace: l.namespace, Name: l.name("v2")}, Reason: "Planted"})
		if err != nil || len(found.Events) == 0 {
			return fmt.Errorf("%+v: %w", found, err)
		}
		wantClean(t, "an Event that is read", strings.ReplaceAll(found.Events[0].Message, "\n", " ")) // a value, which keeps its lines
		return nil
	})
}

// TestAnInterruptedCreateSaysWhatBecameOfItsPods: what was starting is asked to
// scale down, what ran before runs on.
func TestAnInterruptedCreateSaysWhatBecameOfItsPods(t *testing.T) {
	t.Parallel()
	l := application(t)
	l.names = map[string]string{"v3": l.spec("v3", "demo/unready-api").Content.Name()}
	applied, p := l.applied(), l.process(t)
	ctx, interrupt := context.WithCancel(t.Context())
	go func() { <-applied; interrupt() }()
	done, err := p.engine.Deploy(ctx, p.on, l.spec("v3", "demo/unready-api"))
	must(t, err)
	wantNotice(t, done.Notices, "Deployment cancelled", "interrupted", "asked to scale down", "the next apply resumes it")
	if len(done.Notices) != 1 || *l.workload("v3").Spec.Replicas != 0 {
		t.Errorf("it wants %d pods, and says %+v", *l.workload("v3").Spec.Replicas, done.Notices)
	}
}
