package terminal_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/terminal"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// canary is a shop in which v2 has a quarter of the traffic of v1, until somebody lets it go
// on.
func canary(t *testing.T) *shop {
	t.Helper()
	s := newRouted(t)
	s.Steps = []release.CanaryStep{{Weight: 25, Gate: release.GateManual}}
	s.deploy("v1")
	s.promote("v1")
	s.deploy("v2")
	s.promote("v2")
	return s
}

// watchedCanary is one that a run is at, which watches v2 for an hour, and how that ends.
func watchedCanary(t *testing.T) (s *shop, ended <-chan error) {
	t.Helper()
	s = canary(t)
	s.says("", "abort", "api", "--yes").wants(t, terminal.ExitDone)
	s.Steps = []release.CanaryStep{{Weight: 25, Pause: time.Hour}}
	end := make(chan error, 1)
	s.engine = rollout.New(rollout.DefaultTiming())
	go func() { end <- s.promoting("v2") }()
	testcluster.Eventually(t, testcluster.Hang, "a run that watches v2", func() error {
		if p := s.main().Progress; p == nil || p.Since.IsZero() || p.Paused {
			return fmt.Errorf("it is %+v", p)
		}
		return nil
	})
	return s, end
}

// main is what is remembered of the application's address.
func (s *shop) main() *release.Main {
	s.t.Helper()
	main, _, err := ownership.LiveMain(s.t.Context(), s.on[0], s.namespace, s.app)
	if err != nil || main == nil {
		s.t.Fatalf("of the address, %v is remembered: %v", main, err)
	}
	return main
}

// says runs a command in the shop's namespace, and answers what it asks.
func (s *shop) says(answer string, args ...string) said {
	s.t.Helper()
	return answered(s.t.Context(), answer, append(args, "--kubeconfig", testcluster.Shared(s.t).KubeconfigPath, "-n", s.namespace)...)
}

// TestRollback: what will happen is said, and done when somebody says yes; who did it and
// why is remembered, until somebody lets it be tried once more.
func TestRollback(t *testing.T) {
	t.Parallel()
	s := canary(t)
	v1, v2 := s.name("v1"), s.name("v2")
	will := fmt.Sprintf("The traffic of %s/api goes back from %s to %s.", s.namespace, v2, v1)
	for _, answer := range []string{"", "no\n", "y\n"} {
		s.says(answer, "rollback", "api").wants(t, terminal.ExitNo, will, "Go on? Only yes is taken:", "Error: nothing was done: it takes the answer yes, or --yes")
		if p := s.main().Progress; p == nil || !p.Paused || p.To != v2 {
			t.Fatalf("answered %q, it did something: %+v", answer, p)
		}
	}
	back := s.says("yes\n", "rollback", "api", "--reason", "5xx in checkout")
	back.wants(t, terminal.ExitDone, will, fmt.Sprintf("api: %s/api is back on %s\n", s.namespace, v1))
	if want := fmt.Sprintf("api: %s/api is back on %s\n", s.namespace, v1); back.out != want {
		t.Errorf("what is piped is %q", back.out)
	}
	if strings.Contains(back.err, "asking") {
		t.Errorf("it asks a run that has ended in its pause: %s", back.err)
	}
	if b := s.main().Breach; b == nil || b.To != v2 || b.By == "" || !strings.HasSuffix(b.Reason, " asked to go back: 5xx in checkout") {
		t.Errorf("it remembers %+v", b)
	}
	s.says("", "history", "api", "--operation", "rollback").wants(t, terminal.ExitDone, "asked to go back: 5xx in checkout")
	var taken *release.TakenBackError
	if err := s.promoting("v2"); !errors.As(err, &taken) || !strings.Contains(err.Error(), "5xx in checkout") {
		t.Errorf("the next apply of it: %v", err)
	}

	s.says("", "retry", "api", "--yes", "--reason", "mended").wants(t, terminal.ExitDone, v2+" (", "5xx in checkout).", "api: what was refused may be tried once more")
	s.says("", "history", "api", "--operation", "retry").wants(t, terminal.ExitDone, v1+" -> "+v2, "mended")
	s.says("", "retry", "api", "--yes").wants(t, terminal.ExitDone, "nothing is refused", "Nothing is refused. Of ")
	s.promote("v2")

	s.says("", "abort", "api", "--yes").wants(t, terminal.ExitDone, will, "is back on "+v1)
	if m := s.main(); m.Breach != nil || m.Progress != nil || m.Deployment != v1 {
		t.Errorf("after it was aborted, it remembers %+v", m)
	}
	s.says("", "abort", "api", "--yes").wants(t, terminal.ExitFailed, "nothing of the application "+s.namespace+"/api was aborted: no promotion of it is under way")
	s.promote("v2")

	s.says("", "resume", "api", "--yes", "--reason", "looks good").wants(t, terminal.ExitDone, "What is paused of "+s.namespace+"/api goes on with the next apply.", "api: the next apply goes on from here")
	s.says("", "history", "api", "--operation", "resume").wants(t, terminal.ExitDone, "looks good")
	s.promote("v2")
	if m := s.main(); m.Deployment != v2 || m.Progress != nil {
		t.Fatalf("let go on, it is %+v", m)
	}
	s.says("", "resume", "api", "--yes").wants(t, terminal.ExitDone, "Nothing is paused. ")

	var list terminal.ActionList
	decode(t, s.says("", "rollback", "api", "--to", v1, "--yes", "-o", "json"), &list)
	if list.Command != "rollback" || len(list.Items) != 1 || list.Items[0].Name != "api" || list.Items[0].Outcome != terminal.OutcomeDone || s.main().Deployment != v1 {
		t.Errorf("it is %+v", list)
	}
	for range 2 { // what is stopped already stays so, and nobody waits for pods behind its route
		s.says("", "stop", "api", "--yes").wants(t, terminal.ExitDone, "api: it is stopped")
	}
	s.says("", "rollback", "api", "--to", "web-00000000", "--yes").wants(t, terminal.ExitUsage, `"web-00000000" is no release of api`)
	s.says("", "rollback", "web", "--yes").wants(t, terminal.ExitFailed, "there is no main deployment of "+s.namespace+"/web on any cluster")
	s.says("", "rollback", v1, "--yes").wants(t, terminal.ExitFailed, "there is no main deployment of "+s.namespace+"/"+v1+" on any cluster. Where "+v1+" is a deployment of api, name that application: kubectl switchback rollback api --namespace "+s.namespace)
}

// TestRollbackAsksWhoeverIsAtIt: a run that watches the release with its share goes back,
// and ends.
func TestRollbackAsksWhoeverIsAtIt(t *testing.T) {
	t.Parallel()
	for _, verb := range []struct {
		name    string
		refused bool
	}{{"rollback", true}, {"abort", false}} {
		t.Run(verb.name, func(t *testing.T) {
			t.Parallel()
			s, ended := watchedCanary(t)
			s.says("", verb.name, "api", "--yes", "--reason", "5xx").wants(t, terminal.ExitDone, "asking ", "is back on "+s.name("v1"))
			var asked *release.AskedBackError
			if err := <-ended; !errors.As(err, &asked) || asked.Request.Why != "5xx" || asked.Request.Forgets == verb.refused {
				t.Errorf("the run ended with %v", err)
			}
			if b := s.main().Breach; (b != nil) != verb.refused || verb.refused && !strings.HasSuffix(b.Reason, ": 5xx") {
				t.Errorf("it remembers %+v", b)
			}
		})
	}
}

// TestNobodyTalksOverWhoWantsTheTrafficBack: there is one request to a run at a time, and the
// one that moves the traffic back stays, whatever else is asked for until it is obeyed.
func TestNobodyTalksOverWhoWantsTheTrafficBack(t *testing.T) {
	t.Parallel()
	s := canary(t)
	s.says("", "abort", "api", "--yes").wants(t, terminal.ExitDone)
	proxy := testcluster.Shared(t).Proxy(t)
	run := shopOn(t, s.namespace, map[string]string{"prod": proxy.KubeconfigPath})
	run.engine, run.owner, run.routed, run.Steps = rollout.New(rollout.DefaultTiming()), s.owner, true, []release.CanaryStep{{Weight: 25, Pause: time.Hour}}
	ended := make(chan error, 1)
	go func() { ended <- run.promoting("v2") }()
	testcluster.Eventually(t, testcluster.Hang, "a run that watches v2", func() error {
		if p := s.main().Progress; p == nil || p.Since.IsZero() || p.Paused {
			return fmt.Errorf("it is %+v", p)
		}
		return nil
	})
	proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Method == http.MethodGet && strings.HasSuffix(r.Path, "/configmaps") {
			return testcluster.ConnectionReset() // for now, the run hears of no request
		}
		return testcluster.Fault{}
	})
	proxy.DropWatches()
	maps, open := testcluster.Shared(t).Client().CoreV1().ConfigMaps(s.namespace), s.main().Progress
	cm, err := maps.Get(t.Context(), release.MainName("api"), metav1.GetOptions{})
	if err == nil {
		cm.Data, err = release.Asking(cm.Data, release.Request{Kind: release.RequestReturn, From: open.From, To: open.To, By: "alice", Why: "5xx", At: time.Now()})
	}
	if err == nil {
		_, err = maps.Update(t.Context(), cm, metav1.UpdateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	here := testcluster.Shared(t).Proxy(t)
	here.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if strings.Contains(r.Path, "/leases/") { // it has asked, or not, and waits for the run
			proxy.SetFault(nil)
		}
		return testcluster.Fault{}
	})
	skip := answered(t.Context(), "", "promote", "api", "--full", "--yes", "--kubeconfig", here.KubeconfigPath, "-n", s.namespace)
	skip.wants(t, terminal.ExitFailed, "has been taken back")
	var asked *release.AskedBackError
	if err := <-ended; !errors.As(err, &asked) || asked.Request.By != "alice" {
		t.Errorf("the run ended with %v", err)
	}
	if m := s.main(); m.Deployment != s.name("v1") || m.Progress != nil {
		t.Errorf("it is %+v", m)
	}
}

// TestStopThatWasCutOff is gone on with, and is not taken for one that somebody has done
// before.
func TestStopThatWasCutOff(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.deploy("v1")
	s.promote("v1")
	open := 0
	for k := 1; k <= 5; k++ {
		proxy := testcluster.Shared(t).Proxy(t)
		ctx, kill := context.WithCancel(t.Context())
		death := proxy.DiesAfter(k, func(r *testcluster.Request) bool {
			return r.Write() && !strings.HasSuffix(r.Path, "/events") && !strings.HasSuffix(r.Path, "reviews")
		}, kill)
		proxy.SetFault(death.Fault)
		answered(ctx, "", "stop", "api", "--yes", "--kubeconfig", proxy.KubeconfigPath, "-n", s.namespace)
		kill()
		m := s.main()
		done := m.Stopped() && m.Progress == nil
		if m.Stopped() && !done {
			open++
		}
		again := s.says("", "stop", "api", "--yes")
		again.wants(t, terminal.ExitDone, "api: it is stopped")
		if says := strings.Contains(again.err, "is stopped already: "); says != done {
			t.Errorf("cut off at write %d, done is %t, and it says\n%s", k, done, again.err)
		}
		if m := s.main(); !m.Stopped() || m.Progress != nil || m.StoppedBy == nil || s.pods("v1") != 0 {
			t.Errorf("in the end it is %+v", m)
		}
		s.says("", "start", "api", "--yes").wants(t, terminal.ExitDone)
	}
	if open == 0 {
		t.Error("none was cut off between its first word and its end")
	}
}

// pods are how many a release shall have.
func (s *shop) pods(version string) int32 {
	s.t.Helper()
	d, err := testcluster.Shared(s.t).Client().AppsV1().Deployments(s.namespace).Get(s.t.Context(), s.name(version), metav1.GetOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	return *d.Spec.Replicas
}

// TestStopStartRestart: of one release, of an application, and of all of an environment.
func TestStopStartRestart(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for _, version := range []string{"v1", "v2"} {
		s.deploy(version)
		s.promote(version)
	}
	v1, v2 := s.name("v1"), s.name("v2")
	s.says("", "start", v1, "--yes").wants(t, terminal.ExitDone, "The pods of "+s.namespace+"/"+v1+" come back.", v1+": it is started")
	if n := s.pods("v1"); n != 1 {
		t.Errorf("v1 has %d pods", n)
	}
	s.says("", "stop", v2, "--yes").wants(t, terminal.ExitFailed, "cannot be stopped: ", "To stop the application as a whole: kubectl switchback stop api --namespace "+s.namespace)
	s.says("", "stop", v1, "--yes", "--reason", "too many").wants(t, terminal.ExitDone, v1+": it is stopped")
	s.says("", "history", "api", "--operation", "stop").wants(t, terminal.ExitDone, v1, "too many")
	s.says("", "stop", v1, "--yes", "--reason", "again").wants(t, terminal.ExitDone, v1+" is stopped already: stopped by ", "(too many)")
	s.says("", "diagnose", v1).wants(t, terminal.ExitDone, "it has no pods, and shall have none", "It is stopped: ", "(too many)")
	s.says("", "restart", "api", "--yes").wants(t, terminal.ExitDone, "The pods of "+s.namespace+"/"+v2+" are replaced", v2+": it has been restarted")
	s.says("", "restart", "-l", "team=search", "--yes").wants(t, terminal.ExitDone, "No applications found")
	s.says("", "restart", "-l", "team=payments", "--yes").wants(t, terminal.ExitDone, v2+": it has been restarted")

	s.says("", "stop", "--environment", "production", "--yes", "--reason", "night").wants(t, terminal.ExitDone, "All pods of "+s.namespace+"/api go; its address stays.", "api: it is stopped")
	if m := s.main(); !m.Stopped() || m.Deployment != v2 || m.Progress != nil || s.pods("v2") != 0 {
		t.Errorf("stopped, it is %+v with %d pods", m, s.pods("v2"))
	}
	s.says("", "stop", "api", "--yes", "--reason", "again").wants(t, terminal.ExitDone, "is stopped already: stopped by ", "night")
	s.says("", "get", "api").wants(t, terminal.ExitDone, "\napi is stopped by ", "(night)", v1+" is stopped: no configuration has stopped it, ", "(too many)")
	var app terminal.Application
	if decode(t, s.says("", "get", "api", "-o", "json"), &app); !strings.HasSuffix(app.Addresses[0].Stopped, "(night)") {
		t.Errorf("of who has stopped it, it says %q", app.Addresses[0].Stopped)
	}
	s.says("", "start", v2, "--yes").wants(t, terminal.ExitFailed, v2, "its application is stopped: it was stopped by ", "(night). `kubectl switchback start api --namespace "+s.namespace+"`, or the action switchback_start")
	s.says("", "start", "--environment", "production", "--yes").wants(t, terminal.ExitDone, "The pods of "+s.namespace+"/api come back.", "api: it is started")
	if m := s.main(); m.Stopped() || m.Deployment != v2 || s.pods("v2") != 1 {
		t.Errorf("started, it is %+v with %d pods", m, s.pods("v2"))
	}
	s.says("", "stop", "web", "--yes").wants(t, terminal.ExitFailed, "there is no main deployment of "+s.namespace+"/web")

	// Another environment has the traffic: what that one has stays as it is.
	tried := s.spec("v3", "demo/api:v3")
	tried.Environment = "dev"
	if _, err := s.engine.Deploy(t.Context(), s.on, tried); err != nil {
		t.Fatal(err)
	}
	s.says("", "stop", "--environment", "dev", "--yes").wants(t, terminal.ExitDone, s.namespace+"/api is left alone", `environment "dev"`, "no address that leads to one of them", "Name it")
	var list terminal.ActionList
	decode(t, s.says("", "stop", "--environment", "dev", "--yes", "-o", "json"), &list)
	if len(list.Items) != 1 || list.Items[0].Name != "api" || list.Items[0].Outcome != terminal.OutcomeNothing || !strings.Contains(list.Items[0].Says, "is left alone") {
		t.Errorf("of what is left alone, it says %+v", list.Items)
	}
	if m := s.main(); m.Stopped() || s.pods("v2") != 1 || s.pods("v3") != 1 {
		t.Errorf("with another environment, it is %+v with %d pods, and v3 has %d", m, s.pods("v2"), s.pods("v3"))
	}
}

// candidate is the version that was made last to be tried.
func (s *shop) candidate() string { return fmt.Sprintf("c%d", s.candidates) }

// killedCommand is one that is killed after each of its writes, and done again.
type killedCommand struct {
	args   []string
	writes int // that it has
	before func(*shop)
	exit   terminal.Exit
	again  terminal.Exit // of the second one, where the first had done all of it
	after  func(*release.Main) bool
	undone func(*shop) // makes v1 main again; nil: it is
}

func killedCommands(s *shop) []killedCommand {
	v1 := s.name("v1")
	is := func(refused, stopped bool) func(*release.Main) bool {
		return func(m *release.Main) bool {
			return m.Deployment == v1 && m.Progress == nil && (m.Breach != nil) == refused && m.Stopped() == stopped
		}
	}
	trying := func(s *shop) {
		s.says("", "start", "api", "--yes")
		s.says("", "retry", "api", "--yes")
		s.promote("v2")
	}
	refused := func(s *shop) {
		trying(s)
		s.says("", "rollback", "api", "--yes").wants(s.t, terminal.ExitDone)
	}
	stopped := func(s *shop) {
		s.says("", "retry", "api", "--yes")
		s.says("", "abort", "api", "--yes")
		s.says("", "stop", "api", "--yes").wants(s.t, terminal.ExitDone)
	}
	started := func(s *shop) { stopped(s); s.says("", "start", "api", "--yes").wants(s.t, terminal.ExitDone) }
	return []killedCommand{
		{args: []string{"rollback", "api", "--to", v1, "--yes"}, writes: 9, before: trying, after: is(true, false)},
		{args: []string{"abort", "api", "--yes"}, writes: 9, before: trying, again: terminal.ExitFailed, after: is(false, false)},
		{args: []string{"guard", "api", "--unattended", "1ms"}, writes: 9, exit: terminal.ExitNo, before: trying, after: is(true, false)},
		{args: []string{"retry", "api", "--yes"}, writes: 3, before: refused, after: is(false, false)},
		{args: []string{"stop", "api", "--yes"}, writes: 5, before: started, after: is(false, true)},
		{args: []string{"start", "api", "--yes"}, writes: 5, before: stopped, after: is(false, false)},
	}
}

// killedOnTheWay are those that take a promotion further, or keep it where it is. Each begins
// with a candidate that was never main: to others, it goes back, and not by shares.
func killedOnTheWay(s *shop) []killedCommand {
	v1 := s.name("v1")
	candidate := func(s *shop) {
		s.says("", "abort", "api", "--yes")
		s.candidates++
		s.deploy(s.candidate())
		s.promote(s.candidate())
	}
	leave := func(s *shop) {
		s.says("", "rollback", "api", "--to", v1, "--yes").wants(s.t, terminal.ExitDone)
		s.says("", "retry", "api", "--yes")
	}
	return []killedCommand{
		{args: []string{"hold", "api", "--yes"}, writes: 3, before: candidate, after: func(m *release.Main) bool {
			return m.Deployment == v1 && m.Progress != nil && m.Progress.Held != nil && m.Progress.Paused
		}},
		{args: []string{"resume", "api", "--yes"}, writes: 1, before: candidate, after: func(m *release.Main) bool {
			return m.Deployment == v1 && m.Progress != nil && m.Progress.Paused
		}, undone: func(s *shop) {
			s.promote(s.candidate()) // goes on, to its end
			if m := s.main(); m.Deployment != s.name(s.candidate()) || m.Progress != nil {
				s.t.Errorf("after an apply, it is %+v", m)
			}
			leave(s)
		}},
		{args: []string{"promote", "api", "--full", "--yes"}, writes: 11, before: candidate, again: terminal.ExitFailed, after: func(m *release.Main) bool {
			return m.Deployment != v1 && m.Deployment != s.name("v2") && m.Progress == nil
		}, undone: leave},
	}
}

// TestCommandsKilledAfterEveryWrite: whoever does the same again ends where an undisturbed
// command would have.
func TestCommandsKilledAfterEveryWrite(t *testing.T) {
	t.Parallel()
	killedAfterEveryWrite(t, 6, killedCommands)
}

// TestPromotionIsSteeredByWhoIsKilled after every write, and does the same again.
func TestPromotionIsSteeredByWhoIsKilled(t *testing.T) {
	t.Parallel()
	killedAfterEveryWrite(t, 3, killedOnTheWay)
}

func killedAfterEveryWrite(t *testing.T, lives int, commands func(*shop) []killedCommand) {
	t.Helper()
	var cuts []testcluster.Cut
	for _, c := range commands(&shop{}) {
		cuts = append(cuts, testcluster.Cut{Name: c.args[0], Writes: c.writes})
	}
	testcluster.EveryDeathInLives(t, lives, cuts, canary, func(t *testing.T, s *shop, i, k int) bool {
		s.t = t
		c := commands(s)[i]
		c.before(s)
		proxy := testcluster.Shared(t).Proxy(t)
		args := append(c.args, "--kubeconfig", proxy.KubeconfigPath, "-n", s.namespace)
		ctx, kill := context.WithCancel(t.Context())
		defer kill()
		death := proxy.DiesAfter(k, func(r *testcluster.Request) bool {
			return r.Write() && !strings.HasSuffix(r.Path, "/events") && !strings.HasSuffix(r.Path, "reviews")
		}, kill)
		proxy.SetFault(death.Fault)
		first := answered(ctx, "", args...)
		proxy.SetFault(nil)
		what, dead := death.Last()
		if !dead {
			first.wants(t, c.exit)
		} else {
			t.Logf("killed after %s", what)
			want := c.exit
			if c.after(s.main()) {
				want = c.again
			}
			answered(t.Context(), "", args...).wants(t, want)
		}
		if m := s.main(); !c.after(m) {
			t.Errorf("in the end it is %+v, and remembers %+v", m, m.Breach)
		}
		if c.undone != nil {
			c.undone(s)
		}
		return dead
	})
}
