package rollout_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// added are the lines of the history since there were so many, sorted: those of
// two processes come in any order.
func (l *life) added(since int) ([]release.Entry, []string) {
	l.t.Helper()
	entries := l.history()[since:]
	lines := l.short(entries)
	slices.Sort(lines)
	return entries, lines
}

// TestHistoryOfEachVerb: stop, start, restart and cancel leave one line each, as
// an action or as an update, and none where there is nothing to do.
func TestHistoryOfEachVerb(t *testing.T) {
	t.Parallel()
	l := application(t)
	ctx, p := t.Context(), l.process(t)
	action := func(verb func(context.Context, rollout.ActionRequest) (rollout.Deployed, error), version string) func() error {
		return func() error { _, err := verb(ctx, p.action(version)); return err }
	}
	for _, step := range []struct {
		name  string
		do    func() error
		want  string // empty: no line
		fails bool
	}{
		{"stop", action(p.engine.Stop, "v2"), "stop v2", false},
		{"stop again", action(p.engine.Stop, "v2"), "", false},
		{"start", action(p.engine.Start, "v2"), "start v2", false},
		{"start again", action(p.engine.Start, "v2"), "", false},
		{"restart", action(p.engine.Restart, "v2"), "restart v2", false},
		{"restart of main", action(p.engine.Restart, "v1"), "restart v1", false},
		{"stop as an update", func() error { return p.update(ctx, l.desired("v2", stopped), false) }, "stop v2", false},
		{"start as an update", func() error { return p.update(ctx, l.desired("v2", nil), false) }, "start v2", false},
		{"restart as an update", func() error { return p.update(ctx, l.desired("v2", triggered("rotated")), true) }, "restart v2", false},
		{"update", func() error {
			return p.update(ctx, l.desired("v2", func(s *release.Spec) { triggered("rotated")(s); s.Replicas = 3 }), false)
		}, "update v2", false},
		{"stop of main", action(p.engine.Stop, "v1"), "stop v1 failed", true},
	} {
		before := len(l.history())
		if err := step.do(); (err != nil) != step.fails {
			t.Fatalf("%s: %v\n%s", step.name, err, l.log())
		}
		entries, got := l.added(before)
		want := []string{}
		if step.want != "" {
			want = append(want, step.want)
		}
		if !slices.Equal(got, want) && len(got)+len(want) > 0 {
			t.Errorf("%s adds %q, want %q", step.name, got, want)
			continue
		}
		for _, e := range entries {
			if e.By == "" || e.Version == "" || e.Duration <= 0 || step.fails != (e.Reason != "") {
				t.Errorf("%s adds %+v", step.name, e)
			}
		}
	}
}

// TestHistoryOfAFailedRestart: the line says why, and that it failed.
func TestHistoryOfAFailedRestart(t *testing.T) {
	t.Parallel()
	l := application(t)
	if _, err := l.cluster.Client().CoreV1().ResourceQuotas(l.namespace).Create(t.Context(), quota(4), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	before, p := len(l.history()), l.process(t)
	if _, err := p.engine.Restart(t.Context(), p.action("v1")); err == nil {
		t.Fatal("it was restarted without room")
	}
	if entries, got := l.added(before); !slices.Equal(got, []string{"restart v1 failed"}) || entries[0].Reason == "" {
		t.Errorf("%+v", entries)
	}
}

// TestHistoryOfACancel: who asked has a line, and so has what was given up. A
// stop that gives up a start has no other line than its own.
func TestHistoryOfACancel(t *testing.T) {
	t.Parallel()
	for verb, want := range map[string][]string{
		"cancel": {"cancel v1", "deploy v1 cancelled"},
		"stop":   {"deploy v1 cancelled", "stop v1"},
	} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			l := newLife(t, testcluster.Shared(t))
			spec := l.unready()
			name := spec.Content.Name()
			result := l.starting(t.Context(), t, l.beating(t), spec)
			p := l.process(t)
			request := rollout.ActionRequest{ID: release.ID{Namespace: l.namespace, Name: name}, Clusters: p.on}
			act := p.engine.Cancel
			if verb == "stop" {
				act = p.engine.Stop
			}
			if _, err := act(t.Context(), request); err != nil {
				t.Fatal(err)
			}
			<-result
			if _, err := act(t.Context(), request); err != nil { // nothing is left to do
				t.Fatal(err)
			}
			entries, got := l.added(0)
			for i := range got {
				got[i] = strings.ReplaceAll(got[i], name, "v1")
			}
			if !slices.Equal(got, want) {
				t.Errorf("the history is %q, want %q", got, want)
			}
			for _, e := range entries {
				if e.Outcome == release.OutcomeCancelled && !strings.HasPrefix(e.Reason, "cancelled by process ") {
					t.Errorf("%+v", e)
				}
			}
		})
	}
}

// TestHistoryOfACancelOfADeadStart: the start has nobody to write its line.
func TestHistoryOfACancelOfADeadStart(t *testing.T) {
	t.Parallel()
	l := application(t)
	if err := l.apply(t.Context(), t, interruptedStart); err != nil {
		t.Fatal(err)
	}
	before, p := len(l.history()), l.process(t)
	if _, err := p.engine.Cancel(t.Context(), p.action("v3")); err != nil {
		t.Fatal(err)
	}
	if entries, got := l.added(before); !slices.Equal(got, []string{"cancel v3"}) || entries[0].Reason != "whoever was starting it is gone" || entries[0].Version != "v3" {
		t.Errorf("%+v", entries)
	}
}

// TestHistoryIsNoMainDeployment: the ConfigMap that it makes is no address.
func TestHistoryIsNoMainDeployment(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	if err := l.once(t).deploy(t.Context(), "v1"); err != nil {
		t.Fatal(err)
	}
	l.wantHistory("deploy v1")
	p := l.process(t)
	if listed := observe.List(t.Context(), p.on, l.namespace, "api")[0]; listed.Err != nil || len(listed.Releases) != 1 || len(listed.Mains) != 0 {
		t.Errorf("%+v", listed)
	}
}
