package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// errDeadline is why a deadline was set, as timeouts in a configuration say it.
var errDeadline = errors.New("it was not done within 20s, which is `timeouts.update`")

// ending is one cause of the end of an operation.
type ending struct {
	name    string
	outcome release.Outcome // in the history; empty: whoever has lost writes none
	reason  string
	is      func(error) bool
}

// waitingVerb waits for something that does not come.
type waitingVerb struct {
	name  string
	begin func(*testing.T, *life)
	do    func(context.Context, *process) error
	on    string // the release whose claim it holds; empty: it holds the application's Lease
	says  bool   // a Ctrl-C is no error of it
}

// TestCausesAreNotTakenForAnother: a Ctrl-C, a deadline, a lost Lease and a
// takeover end a verb that waits. Its error and its line of the history tell
// them apart.
func TestCausesAreNotTakenForAnother(t *testing.T) {
	t.Parallel()
	interruption := ending{"interrupted", release.OutcomeCancelled, "interrupted", func(err error) bool { return errors.Is(err, context.Canceled) }}
	deadline := ending{"deadline", release.OutcomeFailed, "", func(err error) bool {
		return strings.Contains(err.Error(), "which is `timeouts.update`") && !errors.Is(err, context.Canceled)
	}}
	takeover := ending{"takeover", "", "", func(err error) bool {
		var taken *release.TakenOverError
		return errors.As(err, &taken) && taken.Holder == "somebody else"
	}}
	leaseLost := ending{"lost Lease", "", "", func(err error) bool {
		var lost *ownership.LockLostError
		return errors.As(err, &lost) && lost.Holder == "somebody else"
	}}
	unready := func(spec *release.Spec) { spec.Content.Image = "demo/unready-api:" + spec.Content.Version }
	slow := func(t *testing.T, l *life) { l.finalizers(t, `["test.example/slow"]`) }
	verbs := []waitingVerb{
		{name: "create", on: "v3", says: true, do: func(ctx context.Context, p *process) error {
			_, err := p.engine.Deploy(ctx, p.on, p.desired("v3", unready))
			return err
		}},
		{name: "update", on: "v3", begin: func(t *testing.T, l *life) {
			ctx, interrupt := context.WithCancel(t.Context())
			result := l.starting(ctx, t, l.process(t), l.desired("v3", unready))
			interrupt()
			if got := <-result; got.err != nil {
				t.Fatal(got.err)
			}
			l.owners["v3"] = l.record("v3").Owner
		}, do: func(ctx context.Context, p *process) error {
			return p.update(ctx, p.desired("v3", unready), false)
		}},
		{name: "stop", on: "v2", begin: slow, do: func(ctx context.Context, p *process) error {
			_, err := p.engine.Stop(ctx, p.action("v2"))
			return err
		}},
		{name: "restart", on: "v2", begin: slow, do: func(ctx context.Context, p *process) error {
			_, err := p.engine.Restart(ctx, p.action("v2"))
			return err
		}},
		{name: "promote", do: func(ctx context.Context, p *process) error {
			_, err := p.engine.Promote(ctx, rollout.PromoteRequest{
				Service: p.service(), To: p.name("v2"), Owner: p.main, Keep: release.Keep{Count: 1}, Drain: faultyDrain, Clusters: p.on, Bake: time.Hour,
			})
			return err
		}},
	}
	for _, v := range verbs {
		ends := []ending{interruption, deadline, takeover}
		if v.on == "" {
			ends = []ending{interruption, deadline, leaseLost}
		}
		if v.name == "restart" { // a deadline is no failure of it where only old pods are left: see TestOldPodsOutlastTheOperation
			ends = []ending{interruption, takeover}
		}
		for _, end := range ends {
			t.Run(v.name+" "+end.name, func(t *testing.T) {
				t.Parallel()
				v.ends(t, end)
			})
		}
	}
}

func (v waitingVerb) ends(t *testing.T, end ending) {
	t.Helper()
	l := application(t)
	l.names = map[string]string{"v1": l.name("v1"), "v2": l.name("v2")}
	if v.on == "v3" {
		l.names["v3"] = l.desired("v3", func(spec *release.Spec) { spec.Content.Image = "demo/unready-api:v3" }).Content.Name()
	}
	if v.begin != nil {
		v.begin(t, l)
	}
	told := len(l.history())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if end.name == "deadline" {
		limited, stop := context.WithTimeoutCause(ctx, 20*time.Second, errDeadline)
		defer stop()
		ctx = limited
	}
	p := l.process(t)
	timing := faultyTiming()
	timing.Beat, timing.Expiry, timing.Settle, timing.Cleanup = 200*time.Millisecond, testcluster.Hang, testcluster.Hang, 30*time.Second
	p.engine = rollout.New(timing)
	result := make(chan error, 1)
	go func() { result <- v.do(ctx, p) }()
	testcluster.Eventually(t, testcluster.Hang, "the verb to wait", func() error { return v.waits(l, told) })
	switch end.name {
	case "interrupted":
		cancel()
	case "takeover":
		l.takes(t, v.on)
	case "lost Lease":
		l.held(t, "somebody else")
	}
	err := <-result
	if v.name == "stop" || v.name == "restart" {
		l.finalizers(t, "null")
	}
	switch {
	case err == nil && (end.name != "interrupted" || !v.says), err != nil && !end.is(err):
		t.Errorf("it ends with: %v", err)
	}
	entries := l.history()[told:]
	found := false
	for _, e := range entries {
		t.Logf("%s %s %q", e.Operation, e.Outcome, e.Reason)
		found = found || e.Outcome == end.outcome && strings.Contains(e.Reason, end.reason)
		if e.Outcome != end.outcome && e.Outcome != release.OutcomeSucceeded || e.Outcome != release.OutcomeCancelled && strings.Contains(e.Reason, "interrupted") {
			t.Errorf("the history says %s %s %q", e.Operation, e.Outcome, e.Reason)
		}
	}
	if end.outcome != "" && v.name != "promote" && !found {
		t.Errorf("the history does not say %s %q: %+v", end.outcome, end.reason, entries)
	}
}

// waits says what is missing for the verb to wait for what does not come.
func (v waitingVerb) waits(l *life, told int) error {
	if v.on == "" {
		if len(l.history()) == told {
			return errors.New("traffic has not moved")
		}
		return nil
	}
	if v.name == "stop" || v.name == "restart" {
		if len(l.endingOf("v2")) == 0 {
			return errors.New("no pod is ending")
		}
		return nil
	}
	if n := len(l.pods("v3")); n != 2 {
		return fmt.Errorf("there are %d pods", n)
	}
	if !l.record("v3").Busy() { // they are those of the start before
		return errors.New("nobody is at work on it")
	}
	return nil
}

// takes lets somebody else begin to work on a version.
func (l *life) takes(t *testing.T, version string) {
	t.Helper()
	client := l.cluster.Client().CoreV1().ConfigMaps(l.namespace)
	testcluster.Eventually(t, testcluster.Hang, "the record to change hands", func() error {
		cm, err := client.Get(t.Context(), l.name(version), metav1.GetOptions{})
		if err != nil {
			return err
		}
		record, err := release.ParseRecord(cm.Data)
		if err != nil {
			return err
		}
		record.Run, record.Holder = "0123456789abcdef", "somebody else"
		if cm.Data, err = record.Marshal(); err != nil {
			return err
		}
		_, err = client.Update(t.Context(), cm, metav1.UpdateOptions{})
		return err
	})
}

// finalizers lets the pods of v2 end slowly, or at last.
func (l *life) finalizers(t *testing.T, list string) {
	t.Helper()
	client := l.cluster.Client().CoreV1().Pods(l.namespace)
	pods, err := client.List(t.Context(), metav1.ListOptions{LabelSelector: release.LabelDeployment + "=" + l.name("v2")})
	must(t, err)
	for _, pod := range pods.Items {
		if list == "null" && pod.DeletionTimestamp == nil {
			continue
		}
		_, err := client.Patch(t.Context(), pod.Name, types.MergePatchType, []byte(`{"metadata":{"finalizers":`+list+`}}`), metav1.PatchOptions{})
		if !apierrors.IsNotFound(err) { // gone since
			must(t, err)
		}
	}
}
