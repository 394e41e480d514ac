package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

const historyPath = "/configmaps/api-switchback"

// history is the application's, read live; empty where it has none.
func (l *life) history() []release.Entry {
	l.t.Helper()
	cm, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Get(l.t.Context(), "api-switchback", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		l.t.Fatal(err)
	}
	h, err := release.ParseHistory(cm.Data)
	if err != nil {
		l.t.Fatal(err)
	}
	return h.Entries
}

// version is that of a release's name.
func (l *life) version(name string) string {
	for _, v := range []string{"v1", "v2", "v3", "v4"} {
		if name == l.name(v) {
			return v
		}
	}
	if name == "" {
		return "-"
	}
	return name
}

// deployments are the versions that have a workload.
func (l *life) deployments() []string {
	l.t.Helper()
	list, err := l.cluster.Client().AppsV1().Deployments(l.namespace).List(l.t.Context(), metav1.ListOptions{LabelSelector: release.LabelDeployment})
	if err != nil {
		l.t.Fatal(err)
	}
	var versions []string
	for i := range list.Items {
		versions = append(versions, l.version(list.Items[i].Name))
	}
	slices.Sort(versions)
	return versions
}

// short are entries in few words: what did not succeed is marked.
func (l *life) short(entries []release.Entry) []string {
	var lines []string
	for _, e := range entries {
		line := string(e.Operation) + " " + l.version(e.Deployment)
		if e.To != "" {
			line = fmt.Sprintf("%s %s %s", e.Operation, l.version(e.From), l.version(e.To))
		}
		if e.Outcome != release.OutcomeSucceeded {
			line += " " + string(e.Outcome)
		}
		lines = append(lines, line)
	}
	return lines
}

// remembers fails the test unless the history has exactly what the changes until
// here have added: nothing twice, nothing lost.
func (l *life) remembers(c change) {
	l.t.Helper()
	if l.told = append(l.told, c.history...); c.releases == nil {
		l.told = nil
	}
	if got := l.short(l.history()); !slices.Equal(got, l.told) {
		l.t.Errorf("after %s, the history is\n  %q, want\n  %q\n%s", c.name, got, l.told, l.log())
	}
}

func (l *life) wantHistory(want ...string) []release.Entry {
	l.t.Helper()
	entries := l.history()
	if got := l.short(entries); !slices.Equal(got, want) {
		l.t.Errorf("the history is\n  %q, want\n  %q\n%s", got, want, l.log())
	}
	return entries
}

// TestHistoryOfALife: each verb adds what it did, with who and when, and each
// has its Event. What is destroyed whole leaves nothing.
func TestHistoryOfALife(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	l.run = release.Run{Tool: "github-actions", ID: "17", Commit: "abc", URL: "https://user:hunter2@ci.example/17"}
	began := time.Now().Truncate(time.Second)
	seen := map[string]bool{}
	var last []release.Entry
	l.live(t.Context(), func(change) {}, func(c change) {
		entries := l.history()
		for _, e := range entries[min(len(last), len(entries)):] {
			if e.By == "" || e.Time.Before(began) || e.Outcome == "" || e.ID == "" || seen[e.ID] || e.Run.Commit != "abc" || strings.Contains(e.Run.URL, "hunter2") {
				t.Errorf("after %s: %+v", c.name, e)
			}
			seen[e.ID] = true
			if slices.Contains([]release.Operation{release.OperationDeploy, release.OperationPromote, release.OperationTerminate}, e.Operation) && (e.Duration <= 0 || e.Version == "") {
				t.Errorf("after %s: %+v", c.name, e)
			}
		}
		last = entries
	})
	if len(seen) != 15 {
		t.Errorf("%d entries: %v", len(seen), seen)
	}
	reasons := map[string]int{}
	testcluster.Eventually(t, testcluster.Hang, "Events", func() error {
		events, err := l.cluster.Client().EventsV1().Events(l.namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return err
		}
		clear(reasons)
		for _, e := range events.Items {
			if e.ReportingController != "switchback.dev/provider" {
				continue
			}
			reasons[e.Reason]++
			if !strings.Contains(e.Note, "github-actions run 17") || !strings.Contains(e.Note, "commit abc") {
				return fmt.Errorf("%s says %q", e.Reason, e.Note)
			}
		}
		want := map[string]int{"Started": 5, "Stopped": 1, "Restarted": 1, "Promoted": 3, "RolledBack": 1, "Retained": 2, "Terminating": 3, "MainRemoved": 1}
		for reason, n := range want {
			if reasons[reason] != n {
				return fmt.Errorf("%v, want %v", reasons, want)
			}
		}
		return nil
	})
}

// TestHistoryOfWhatFails: a create that fails or is interrupted, and a promotion
// of what is not there.
func TestHistoryOfWhatFails(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	ctx := t.Context()
	if err := l.once(t).deployImage(ctx, "v1", "demo/missing"); err == nil {
		t.Fatal("an image that is missing was deployed")
	}
	failed := l.history()
	if len(failed) != 1 || failed[0].Operation != release.OperationDeploy || failed[0].Outcome != release.OutcomeFailed || !strings.Contains(failed[0].Reason, "failed to start") {
		t.Errorf("%+v", failed)
	}
	unready, cancel := context.WithCancel(ctx)
	applied := l.applied()
	go func() { <-applied; cancel() }()
	if err := l.once(t).deployImage(unready, "v2", "demo/unready"); err != nil {
		t.Fatalf("the interrupted create: %v", err)
	}
	l.proxy.SetFault(nil)
	if err := l.once(t).promote(ctx, "v3", 1); err == nil {
		t.Fatal("what is not there became main")
	}
	entries := l.history()
	if len(entries) != 3 || entries[1].Outcome != release.OutcomeCancelled || entries[1].Operation != release.OperationDeploy ||
		entries[2].Operation != release.OperationPromote || entries[2].Outcome != release.OutcomeFailed || !strings.Contains(entries[2].Reason, "no such deployment") {
		t.Errorf("%+v", entries)
	}
}

// TestHistoryOfAFailedSwitch refuses to write down that traffic has moved: it
// goes back by itself, and both are in the history.
func TestHistoryOfAFailedSwitch(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	ctx := t.Context()
	if err := errors.Join(l.once(t).deploy(ctx, "v1"), l.once(t).promote(ctx, "v1", 1), l.once(t).deploy(ctx, "v2")); err != nil {
		t.Fatal(err)
	}
	main := l.cluster.WatchMain(t, l.namespace, "api")
	l.proxy.SetFault((&faulty{k: 2, apart: 1000, repeats: map[string]int{},
		faults: []testcluster.Fault{testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "denied: password=hunter2")},
		counts: func(r *testcluster.Request) bool { return r.Write() && strings.HasSuffix(r.Path, historyPath) },
	}).on)
	token := l.main
	if err := l.once(t).promote(ctx, "v2", 1); !apierrors.IsForbidden(err) {
		t.Fatalf("%v\n%s", err, l.log())
	}
	l.proxy.SetFault(nil)
	entries := l.wantHistory("deploy v1", "promote - v1", "deploy v2", "promote v1 v2 failed", "rollback v2 v1")
	if reason := entries[3].Reason; !strings.Contains(reason, "denied") || strings.Contains(reason, "hunter2") {
		t.Errorf("the reason is %q", reason)
	}
	l.main = token
	if err := l.once(t).promote(ctx, "v2", 1); err != nil {
		t.Fatal(err)
	}
	if err := l.once(t).promote(ctx, "v2", 0); err != nil { // moves nothing: no line
		t.Fatal(err)
	}
	l.wantHistory("deploy v1", "promote - v1", "deploy v2", "promote v1 v2 failed", "rollback v2 v1", "promote v1 v2")
	main.Check(t, faultyDrain)
}

// TestHistoryOfACondemnedRelease: its resource goes while it has the traffic,
// twice, and it is collected when main moves away.
func TestHistoryOfACondemnedRelease(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	ctx := t.Context()
	if err := errors.Join(l.once(t).deploy(ctx, "v1"), l.once(t).promote(ctx, "v1", 0)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.once(t).terminate(ctx, "v1"); err == nil {
			t.Fatal("no notice")
		}
	}
	if err := errors.Join(l.once(t).deploy(ctx, "v2"), l.once(t).promote(ctx, "v2", 0)); err != nil {
		t.Fatal(err)
	}
	entries := l.wantHistory("deploy v1", "promote - v1", "condemn v1", "deploy v2", "promote v1 v2", "collect v1")
	if !strings.Contains(entries[2].Reason, "main deployment") || entries[5].Reason != "it was condemned" {
		t.Errorf("%q, %q", entries[2].Reason, entries[5].Reason)
	}
	if err := errors.Join(l.once(t).unmain(ctx)); err != nil {
		t.Fatal(err)
	}
	l.wantHistory("deploy v1", "promote - v1", "condemn v1", "deploy v2", "promote v1 v2", "collect v1", "remove_main v2")
	if err := l.once(t).terminate(ctx, "v2"); err != nil {
		t.Fatal(err)
	}
	if left := l.objects(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestTwoAppliesWriteTheHistory: whoever writes meanwhile, no line is lost and
// no promotion is disturbed.
func TestTwoAppliesWriteTheHistory(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	ctx := t.Context()
	if err := l.once(t).deploy(ctx, "v1"); err != nil {
		t.Fatal(err)
	}
	// Just before each write of the pointer, somebody adds a line.
	var mu sync.Mutex
	others := 0
	l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if !r.Write() || !strings.HasSuffix(r.Path, historyPath) {
			return testcluster.Fault{}
		}
		mu.Lock()
		defer mu.Unlock()
		if others < 6 && strings.Contains(string(r.Body), release.MainKey) && others%2 == 0 {
			l.addLine(fmt.Sprintf("other-%d", others))
		}
		others++
		return testcluster.Fault{}
	})
	if err := l.once(t).promote(ctx, "v1", 1); err != nil {
		t.Fatalf("%v\n%s", err, l.log())
	}
	l.proxy.SetFault(nil)
	if got := l.short(l.history()); !slices.Equal(got, []string{"deploy v1", "stop other-0", "stop other-2", "promote - v1", "stop other-4"}) {
		t.Errorf("%q\n%s", got, l.log())
	}
	l.settled(aLife()[1])

	results := make(chan error, 2)
	for _, v := range []string{"v2", "v3"} {
		p := &process{life: &life{t: t, cluster: l.cluster, proxy: l.proxy, namespace: l.namespace, owners: map[string]string{}}}
		fresh := p.process(t)
		go func() { results <- fresh.deploy(ctx, v) }()
	}
	if err := errors.Join(<-results, <-results); err != nil {
		t.Fatal(err)
	}
	got := l.short(l.history())[5:]
	if slices.Sort(got); !slices.Equal(got, []string{"deploy v2", "deploy v3"}) {
		t.Errorf("%q", got)
	}
}

// addLine appends to the history past the proxy.
func (l *life) addLine(name string) {
	maps := l.cluster.Client().CoreV1().ConfigMaps(l.namespace)
	cm, err := maps.Get(l.t.Context(), "api-switchback", metav1.GetOptions{})
	if err == nil {
		cm.Data = release.AppendHistory(cm.Data, release.Entry{ID: name, Time: time.Now(), Operation: release.OperationStop, Deployment: name, Outcome: release.OutcomeSucceeded})
		_, err = maps.Update(l.t.Context(), cm, metav1.UpdateOptions{})
	}
	if err != nil {
		l.t.Error(err)
	}
}

// TestHistoryStaysBounded fills it, goes on, and keeps what somebody else put
// beside it.
func TestHistoryStaysBounded(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	ctx := t.Context()
	if err := l.once(t).deploy(ctx, "v1"); err != nil {
		t.Fatal(err)
	}
	client := l.cluster.Client().CoreV1().ConfigMaps(l.namespace)
	cm, err := client.Get(ctx, "api-switchback", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range release.HistoryEntries {
		cm.Data = release.AppendHistory(cm.Data, release.Entry{ID: fmt.Sprint(i), Operation: release.OperationStop, Deployment: "old", Outcome: release.OutcomeSucceeded})
	}
	cm.Data["theirs"] = "kept"
	if _, err := client.Update(ctx, cm, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.once(t).promote(ctx, "v1", 1), l.once(t).deploy(ctx, "v2")); err != nil {
		t.Fatal(err)
	}
	entries := l.history()
	if len(entries) != release.HistoryEntries || entries[0].ID != "2" {
		t.Fatalf("%d entries, the oldest is %+v", len(entries), entries[0])
	}
	if got := l.short(entries[release.HistoryEntries-2:]); !slices.Equal(got, []string{"promote - v1", "deploy v2"}) {
		t.Errorf("%q", got)
	}
	cm, err = client.Get(ctx, "api-switchback", metav1.GetOptions{})
	if err != nil || cm.Data["theirs"] != "kept" || cm.Data[release.MainKey] == "" {
		t.Errorf("%v, %v", cm.Data, err)
	}
}

// TestHistoryNeverFailsAnything: where it cannot be written, all else works.
func TestHistoryNeverFailsAnything(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*life){
		"refused": func(l *life) {
			l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
				if strings.HasSuffix(r.Path, historyPath) || r.Method == http.MethodPost && strings.Contains(string(r.Body), "history.json") {
					return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "no")
				}
				return testcluster.Fault{}
			})
		},
		"somebody else's": func(l *life) {
			_, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Create(l.t.Context(), &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Name: "api-switchback"}, Data: map[string]string{"a": "b"},
			}, metav1.CreateOptions{})
			if err != nil {
				l.t.Fatal(err)
			}
		},
		"away": func(l *life) {
			l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
				if strings.HasSuffix(r.Path, historyPath) {
					return testcluster.Unavailable()
				}
				return testcluster.Fault{}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t, testcluster.Shared(t))
			spoil(l)
			p := l.process(t)
			timing := faultyTiming()
			timing.Patience = 0 // as users have it
			p.engine = rollout.New(timing)
			if err := p.deploy(t.Context(), "v1"); err != nil {
				t.Errorf("%v\n%s", err, l.log())
			}
			tries, begun := 0, false
			for _, r := range l.proxy.Requests() {
				begun = begun || r.Write() // before that, whether the application is stopped is read there
				if begun && strings.HasSuffix(r.Path, historyPath) {
					tries++
				}
			}
			if tries > 11 { // which fit into its patience, on the fastest machine
				t.Errorf("it was asked for %d times", tries)
			}
			cm, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Get(t.Context(), "api-switchback", metav1.GetOptions{})
			if name == "somebody else's" && (err != nil || len(cm.Data) != 1) {
				t.Errorf("it was touched: %v, %v", cm.Data, err)
			}
		})
	}
}
