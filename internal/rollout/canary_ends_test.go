package rollout_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// leadsTo says that a route of the namespace names a version, in whatever rule.
func (l *life) leadsTo(version string) bool {
	for _, route := range l.routes(l.t) {
		for _, rule := range route.Spec.Rules {
			for _, ref := range rule.BackendRefs {
				if string(ref.Name) == l.name(version) {
					return true
				}
			}
		}
	}
	return false
}

// watchEnd tells what of a version has ended until it is asked, in its order: its pods, and
// the Service by which a route leads to them. Where a route names it then, that is an error,
// and so is a route that names it when it has not all of its pods.
func (l *life) watchEnd(version string) (ended func() []string) {
	var mu sync.Mutex
	var seen []string
	pods := l.pods(version)
	ends := func(r *testcluster.Request) string {
		switch {
		case r.Write() && strings.HasSuffix(r.Path, "/deployments/"+l.name(version)) && (r.Method == http.MethodDelete || strings.Contains(string(r.Body), `"replicas":0`)):
			return "its pods"
		case r.Write() && strings.HasSuffix(r.Path, "/services/"+l.name(version)) && r.Method == http.MethodDelete:
			return "its Service"
		}
		return ""
	}
	l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if what := ends(r); what != "" {
			if l.leadsTo(version) {
				l.t.Errorf("%s: %s, and a route leads to %s", what, r, version)
			}
			mu.Lock()
			defer mu.Unlock()
			if n := len(seen); n == 0 || seen[n-1] != what {
				seen = append(seen, what)
			}
		}
		if writesRoute(r) && l.leadsTo(version) {
			if now := l.pods(version); !slices.Equal(now, pods) {
				l.t.Errorf("ahead of %s, of the pods %v of %s are left %v", r, pods, version, now)
			}
		}
		return testcluster.Fault{}
	})
	return func() []string {
		l.proxy.SetFault(nil)
		mu.Lock()
		defer mu.Unlock()
		return seen
	}
}

// wantEnded fails the test unless a version is gone, its Service last.
func (l *life) wantEnded(version string, ended []string) {
	l.t.Helper()
	if want := []string{"its pods", "its Service"}; !slices.Equal(ended, want) {
		l.t.Errorf("of %s, %q have ended, want %q", version, ended, want)
	}
	l.isGone(version)
}

// endsBehindARoute: nobody has it in a state any more, in a pause in which it has half of the
// traffic, as main, and with the address. It goes when the route leads to none of it.
func endsBehindARoute(t *testing.T, c *testcluster.Cluster, adopts bool) {
	l, p := heldAt(t, c, adopts, 50)
	supersedes := func() error {
		_, err := p.engine.Promote(t.Context(), rollout.PromoteRequest{
			Service: p.service(), Route: p.route(), Canary: steps(20), To: p.name("v3"), Owner: p.main, Drain: faultyDrain, Clusters: p.on,
		})
		return err
	}
	for _, way := range []struct {
		version string
		with    func() error
	}{
		{"v2", supersedes},
		{"v3", func() error { return p.unmain(t.Context()) }},
	} {
		ended := l.watchEnd(way.version)
		if err := p.terminate(t.Context(), way.version); err == nil {
			t.Fatalf("%s is removed, and has traffic", way.version)
		}
		if kept := l.record(way.version).Custody; kept != release.CustodyCondemned {
			t.Errorf("%s is %s", way.version, kept)
		}
		must(t, way.with())
		l.wantEnded(way.version, ended())
	}
	if adopts {
		l.wantLetGo()
	}
}

// waitsQuietly: as often as it is read and applied while it waits for somebody, nothing is
// written but the Lease, what is remembered of the promotion, and what is told of it. A route
// of its own is applied, and nothing of it changes.
func waitsQuietly(t *testing.T, c *testcluster.Cluster, adopts bool) {
	l, p := withCohort(t, c, adopts)
	canary := release.Canary{Steps: []release.CanaryStep{{Weight: 1, Gate: release.GateManual}}}
	ask := func() {
		done, err := p.letting(t.Context(), "v2", canary, nil)
		if must(t, err); done.Status != release.MainPaused {
			t.Fatalf("it ends as %s, %s", done.Status, done.Reason)
		}
	}
	ask()
	before := l.routes(t)[0].ResourceVersion
	l.proxy.Reset()
	for range 5 {
		p = l.process(t)
		if p.look().Waits == "" {
			t.Error("a Read does not see that it waits")
		}
		ask()
		p.end()
	}
	writes := l.proxy.Writes()
	for _, r := range writes {
		quiet := strings.Contains(r.Path, "/leases/") || strings.HasSuffix(r.Path, "/configmaps/"+release.MainName("api")) || strings.Contains(r.Path, "/events")
		if !quiet && (adopts || !writesRoute(&r)) {
			t.Errorf("it writes %s: %s", r.String(), r.Body)
		}
	}
	if len(writes) == 0 {
		t.Error("nothing was written, not even the Lease: this test tests nothing")
	}
	if now := l.routes(t)[0].ResourceVersion; now != before {
		t.Errorf("the route was written: its version was %s, and is %s", before, now)
	}
	if does := l.does(); does != cohortAtOne {
		t.Errorf("the route does %q", does)
	}
}
