package rollout_test

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// events are our Events in the namespace, in the order in which they happened.
func (l *life) events() []eventsv1.Event {
	l.t.Helper()
	list, err := l.cluster.Client().EventsV1().Events(l.namespace).List(l.t.Context(), metav1.ListOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	ours := slices.DeleteFunc(list.Items, func(e eventsv1.Event) bool { return e.ReportingController != "switchback.dev/provider" })
	slices.SortStableFunc(ours, func(a, b eventsv1.Event) int { return a.EventTime.Compare(b.EventTime.Time) })
	return ours
}

// story is what was told since there were so many Events, in short.
func (l *life) story(since int) []string {
	var lines []string
	for _, e := range l.events()[since:] {
		line := e.Reason + " " + l.version(e.Regarding.Name)
		if e.Type == "Warning" {
			line += "!"
		}
		lines = append(lines, line)
	}
	return lines
}

func (l *life) wantStory(since int, want ...string) {
	l.t.Helper()
	testcluster.Eventually(l.t, testcluster.Hang, "the story", func() error {
		if got := l.story(since); !slices.Equal(got, want) {
			return fmt.Errorf("it is\n  %q, want\n  %q", got, want)
		}
		return nil
	})
}

// wantEvent waits for an Event about an object whose note has all these texts.
func (l *life) wantEvent(name string, reason release.EventReason, texts ...string) {
	l.t.Helper()
	testcluster.Eventually(l.t, testcluster.Hang, string(reason), func() error {
		var notes []string
		for _, e := range l.events() {
			if e.Reason != string(reason) || e.Regarding.Name != name {
				continue
			}
			notes = append(notes, e.Note)
			if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(e.Note, text) }) {
				return nil
			}
		}
		return fmt.Errorf("the notes are %q", notes)
	})
}

// journal keeps lines.
type journal struct {
	mu    sync.Mutex
	lines []map[string]any
	texts []string
}

func (j *journal) Line(_ context.Context, message string, fields map[string]any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines, j.texts = append(j.lines, fields), append(j.texts, message)
}

// phases are what was told of since then, and forgets it.
func (j *journal) phases() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var all []string
	for _, fields := range j.lines {
		all = append(all, fmt.Sprintf("%v %v", fields["operation"], fields["phase"]))
	}
	j.lines, j.texts = nil, nil
	return all
}

// TestStory: what kubectl get events -w shows of an application's life, and what
// the log says.
func TestStory(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	ctx := t.Context()
	p := l.process(t)
	j := &journal{}
	p.engine.Journal(j)
	since := 0
	step := func(name string, do func() error, fails bool, want, lines []string) {
		t.Helper()
		if err := do(); (err != nil) != fails {
			t.Fatalf("%s: %v", name, err)
		}
		l.wantStory(since, want...)
		since = len(l.events())
		if got := j.phases(); !slices.Equal(got, lines) {
			t.Errorf("%s: the log has\n  %q, want\n  %q", name, got, lines)
		}
	}
	step("deploy", func() error { return p.deploy(ctx, "v1") }, false,
		[]string{"Claimed v1", "Applied v1", "Started v1"},
		[]string{"deploy claimed", "deploy applied", "deploy healthy", "deploy succeeded"})
	step("promote", func() error { return p.promote(ctx, "v1", 0) }, false,
		[]string{"Switching api", "Promoted api", "Finalized api"},
		[]string{"promote switching", "promote succeeded", "promote finalized"})
	step("a deploy that fails", func() error { return p.deployImage(ctx, "v2", "demo/missing") }, true,
		[]string{"Claimed " + l.spec("v2", "demo/missing").Content.Name(), "Applied " + l.spec("v2", "demo/missing").Content.Name(),
			"Waiting " + l.spec("v2", "demo/missing").Content.Name() + "!", "DeployFailed " + l.spec("v2", "demo/missing").Content.Name() + "!"},
		[]string{"deploy claimed", "deploy applied", "deploy waiting", "deploy failed"})
	p = l.process(t)
	p.engine.Journal(j)
	step("bump", func() error { return p.deploy(ctx, "v2") }, false,
		[]string{"Claimed v2", "Applied v2", "Started v2"}, []string{"deploy claimed", "deploy applied", "deploy healthy", "deploy succeeded"})
	step("promotion of the bump, with a bake", func() error {
		done, err := p.engine.Promote(ctx, rollout.PromoteRequest{
			Service: p.service(), To: p.name("v2"), Owner: p.main, Keep: release.Keep{Count: 1}, Drain: faultyDrain, Clusters: p.on, Bake: 300 * time.Millisecond,
		})
		p.main = done.Owner
		return err
	}, false,
		[]string{"Switching api", "Promoted api", "Baking api", "Terminating " + l.spec("v2", "demo/missing").Content.Name(), "Collected " + l.spec("v2", "demo/missing").Content.Name(), "Finalized api"},
		[]string{"promote switching", "promote succeeded", "promote baking", "<nil> removed", "promote finalized"})
	step("terminate", func() error { return p.terminate(ctx, "v1") }, false, []string{"Retained v1"}, []string{"retain succeeded"})
	step("stop", func() error { _, err := p.engine.Stop(ctx, p.action("v1")); return err }, false,
		[]string{"Claimed v1", "Stopping v1", "Stopped v1"}, []string{"stop stop", "stop stopping", "stop stopped", "stop succeeded"})
	step("start", func() error { _, err := p.engine.Start(ctx, p.action("v1")); return err }, false,
		[]string{"Claimed v1", "Started v1"}, []string{"start start", "start healthy", "start succeeded"})
	step("restart", func() error { _, err := p.engine.Restart(ctx, p.action("v1")); return err }, false,
		[]string{"Claimed v1", "Restarted v1"}, []string{"restart restart", "restart restarted", "restart succeeded"})
	for _, e := range l.events() {
		if !slices.Contains(release.EventReasons(), release.EventReason(e.Reason)) {
			t.Errorf("the reason %q is not listed", e.Reason)
		}
	}
	for _, v := range []string{"v1", "v2"} {
		for _, phase := range l.recordOf(l.name(v)).Phases {
			if !slices.Contains(release.PhaseNames(), phase.Name) {
				t.Errorf("the phase %q is not listed", phase.Name)
			}
		}
	}
}

// TestWaitingIsToldOncePerCause: while an apply waits, it says what for; a secret
// in what the cluster says is masked.
func TestWaitingIsToldOncePerCause(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	p := l.process(t)
	patient := faultyTiming()
	patient.Grace = testcluster.Hang // a cause that would be certain is gone again before
	p.engine = rollout.New(patient).In(l.run)
	j := &journal{}
	p.engine.Journal(j)
	spec := l.spec("v1", "demo/unready")
	name := spec.Content.Name()
	ctx, cancel := context.WithTimeout(t.Context(), testcluster.Hang)
	defer cancel()
	ended := make(chan error, 1)
	go func() { _, err := p.engine.Deploy(ctx, p.on, spec); ended <- err }()
	l.wantEvent(name, release.EventWaiting, "pod "+name)
	pod := &podStatus{l, name}
	for range 2 {
		pod.waits("CreateContainerConfigError", `couldn't find key url in ConfigMap shop/api: token=hunter2hunter2`)
		l.wantEvent(name, release.EventWaiting, "CreateContainerConfigError", "***")
		pod.waits("", "")
	}
	l.nodeOf(name, false)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	l.wantEvent(name, release.EventStarted)
	causes := map[string]int{}
	for _, e := range l.events() {
		if e.Reason == string(release.EventWaiting) {
			cause, _, _ := strings.Cut(e.Note, ":")
			causes[cause]++
		}
		if strings.Contains(e.Note, "hunter2") {
			t.Errorf("a secret is told: %s", e.Note)
		}
	}
	for cause, n := range causes {
		if n != 1 {
			t.Errorf("%s was told %d times", cause, n)
		}
	}
	if len(causes) < 2 {
		t.Errorf("the causes are %v", causes)
	}
	waited := 0
	for i, fields := range j.lines {
		if fields["phase"] == "waiting" {
			waited++
		}
		if strings.Contains(fmt.Sprint(fields, j.texts[i]), "hunter2") {
			t.Errorf("a secret is in the log: %v", fields)
		}
	}
	if waited != len(causes) {
		t.Errorf("%d lines about %v", waited, causes)
	}
}

// TestReasonsAreNamed: no reason of an Event is written where it is told; all are
// in the table.
func TestReasonsAreNamed(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	tells := 0
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), entry.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if f, ok := call.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Emit" && len(call.Args) == 5 {
				tells++
				if _, literal := call.Args[2].(*ast.BasicLit); literal {
					t.Errorf("%s: a reason that is not in release.Events", entry.Name())
				}
			}
			return true
		})
	}
	if tells < 5 {
		t.Errorf("only %d Events are told", tells)
	}
}

// podStatus writes what the node of a release's only pod would.
type podStatus struct {
	*life
	name string
}

// waits makes its container wait for a reason; for none, it runs.
func (s *podStatus) waits(reason, message string) {
	s.t.Helper()
	pods := s.cluster.Client().CoreV1().Pods(s.namespace)
	testcluster.Eventually(s.t, testcluster.Hang, "a status", func() error {
		list, err := pods.List(s.t.Context(), metav1.ListOptions{LabelSelector: release.LabelDeployment + "=" + s.name})
		if err != nil {
			return err
		}
		if len(list.Items) != 1 || len(list.Items[0].Status.ContainerStatuses) != 1 {
			return fmt.Errorf("there are %+v", list.Items)
		}
		pod := &list.Items[0]
		state := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}
		if reason != "" {
			state = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
		}
		pod.Status.ContainerStatuses[0].State = state
		_, err = pods.UpdateStatus(s.t.Context(), pod, metav1.UpdateOptions{})
		return err
	})
}
