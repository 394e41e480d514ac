//go:build e2e

package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

// canary is an application behind a gateway, with v1 as its main deployment, and
// load that comes in through it.
type canary struct {
	*workspace
	*route
	load   *load
	v1, v2 config
	first  string // v1's release
}

// newCanary is an application behind an HTTPRoute. On the way to v2, a tenth of the
// traffic goes there first, and then half of it.
func newCanary(t *testing.T, g testnode.Gateway) canary {
	t.Helper()
	return newCanaryBy(t, `{ weight = 10, pause = "3s" }, { weight = 50, pause = "3s" }`, g)
}

// newCanaryBy is the same with other steps.
func newCanaryBy(t *testing.T, steps string, g testnode.Gateway) canary {
	t.Helper()
	c := newCanaryOf(t, newNamespace(t), "web", "HTTPRoute", steps, g)
	c.load.untilAnswered("v1", newSingle)
	c.load.offer(gatewayFreshRate, 100, newSingle)
	c.load.offer(gatewayKeptRate, 40, newKeepAlive("kept"))
	return c
}

// newCanaryOf applies v1. Nobody asks for it yet.
func newCanaryOf(t *testing.T, namespace, application, kind, steps string, g testnode.Gateway) canary {
	t.Helper()
	return newCanaryIn(t, newWorkspace(t, namespace), application, kind, steps, g)
}

// newCanaryIn is the same in a workspace.
func newCanaryIn(t *testing.T, w *workspace, application, kind, steps string, g testnode.Gateway) canary {
	t.Helper()
	namespace := w.namespace
	host := application + "." + namespace + ".example.com"
	where, through := fmt.Sprintf("port = \"http\", hostnames = [%q]", host), loadThrough(t, g, host)
	if kind == "TCPRoute" {
		where, through = `port = "tcp"`, newLoad(t, "http://"+g.TCP)
	}
	c := canary{workspace: w, load: through}
	c.v1 = config{
		application: application, version: "v1", keep: 1, tcpPort: tcpPort, env: map[string]string{"APP_TCP_PORT": strconv.Itoa(tcpPort)},
		route: fmt.Sprintf("{ kind = %q, parent_refs = [{ name = %q, namespace = %q }], settle = \"1s\", %s }", kind, g.Name, g.Namespace, where),
		main:  fmt.Sprintf("  canary = { steps = [%s] }", steps),

		deployment: fmt.Sprintf("  preview = { hostname = \"{name}.%s.example.com\", parent_refs = [{ name = %q, namespace = %q }] }", namespace, g.Name, g.Namespace),
	}
	c.v2 = c.v1
	c.v2.version = "v2"
	c.mustApply(c.v1)
	c.first = c.release()
	c.route = routeOf(t, c.cluster, kind, strings.ToLower(kind)+"s", namespace, application)
	c.follow(c.first)
	return c
}

// t is the test: both the workspace and the route have it.
func (c canary) test() testing.TB { return c.workspace.t }

// wantShares fails the test unless the other release had these shares, in this order.
func (c canary) wantShares(percents ...int) {
	c.test().Helper()
	var got []int
	for _, s := range c.moved() {
		got = append(got, s.to)
	}
	if !slices.Equal(got, percents) {
		c.test().Errorf("the weights were %v, not %v", got, percents)
	}
}

// close goes back to nothing, without a trace of the application.
func (c canary) close() {
	c.test().Helper()
	if _, err := c.destroy(); err != nil {
		c.test().Error(err)
	}
	if left := c.podsOf(c.first); len(left) > 0 {
		c.test().Errorf("%d pods are left of v1", len(left))
	}
}

const watched = 3 * time.Second // for each share, and before and after

// TestCanary gives a new version 10 % of the traffic, then half of it, then all, and
// goes back, while requests come in through a gateway. None may fail, on new
// connections or kept ones: a gateway chooses for requests. Each version answers as
// many as its weight says. By its own address, the new version answers all the time.
func TestCanary(t *testing.T) {
	beside(t, loaded)
	g := gateway(t, shared(t))
	c := newCanary(t, g)
	pause(t, watched)
	began := time.Now()
	x := c.startApply(c.v2)
	preview := loadThrough(t, g, c.sharer()+"."+c.namespace+".example.com")
	preview.untilAnswered("v2", newSingle)
	preview.offer(gatewayCallRate, 50, newSingle)
	if _, err := x.wait(); err != nil {
		t.Fatal(err)
	}
	applied := time.Now()
	pause(t, watched)
	c.planIsEmpty(c.v2)
	back := time.Now()
	c.mustApply(c.v1)
	if c.release() != c.first {
		t.Errorf("going back is to %s, not to %s", c.release(), c.first)
	}
	returned := c.until(0).asked
	pause(t, watched)
	answers, previewed := c.load.end(), preview.end()

	t.Logf("offered %d, answered: %s", c.load.offered, sum(answers))
	t.Logf("by its own address: %s", sum(previewed))
	preview.mustNotFail(t, previewed)
	if n := answeredBy(previewed, "v2"); n != len(previewed) {
		t.Errorf("%d of %d answers by v2's own address are not v2's", len(previewed)-n, len(previewed))
	}
	t.Logf("apply of v2 took %s; on the way back, the weight was written %s after its start", ms(began, applied), ms(back, returned))
	marks := append(c.marks(), mark{began, "apply v2"}, mark{applied, "applied"}, mark{back, "apply v1"})
	c.load.draw(t, "canary", "v1 to v2 by shares, and back: answers a second", answers, marks)
	c.load.mustNotFail(t, answers)
	c.mustSplit(answers)
	c.wantShares(10, 50, 100, 0)
	c.planIsEmpty(c.v1)
	c.close()
}

// TestCanaryIsKilled kills an apply that has given the new version a tenth of the
// traffic, without a chance to say goodbye. The traffic stays as it is; the next
// apply puts it back, begins anew, and terminates the old version, which nothing
// keeps. No request is lost.
func TestCanaryIsKilled(t *testing.T) {
	beside(t, loaded)
	c := newCanary(t, gateway(t, shared(t)))
	c.v2.keep = 0
	x := c.startApply(c.v2)
	c.until(10)
	if err := x.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	_, _ = x.wait()
	pause(t, watched)
	began := time.Now()
	c.mustApply(c.v2)
	applied := time.Now()
	if left := c.podsOf(c.first); len(left) > 0 {
		t.Errorf("%d pods are left of v1", len(left))
	}
	pause(t, watched)
	answers := c.load.end()

	t.Logf("offered %d, answered: %s", c.load.offered, sum(answers))
	t.Logf("the apply after the kill took %s", ms(began, applied))
	marks := append(c.marks(), mark{killed, "killed"}, mark{began, "apply v2"}, mark{applied, "applied"})
	c.load.draw(t, "canary-killed", "killed at 10 %, applied again: answers a second", answers, marks)
	c.load.mustNotFail(t, answers)
	c.mustSplit(answers)
	c.wantShares(10, 0, 10, 50, 100)
	c.planIsEmpty(c.v2)
	c.close()
}

// absence is a time without a gateway.
type absence struct{ from, to time.Time }

// during tells whether a request may have met it.
func (o absence) during(a answer) bool { return !a.ended.Before(o.from) && a.began.Before(o.to) }

// without ends the gateway, does something, and starts it again.
func (c canary) without(end func(context.Context, string) error, meanwhile func()) (o absence) {
	t := c.test()
	t.Helper()
	o.from = time.Now()
	if err := end(t.Context(), testnode.GatewayProgram); err != nil {
		t.Fatal(err)
	}
	meanwhile()
	if err := c.cluster.Revive(t.Context(), testnode.GatewayProgram); err != nil {
		t.Fatal(err)
	}
	c.load.untilAnswered("", newSingle)
	o.to = time.Now()
	return o
}

// TestGatewayGoesAndComesBack kills the gateway while the new version has a tenth of
// the traffic, and starts it again when it has been given half of it: nobody accepts
// that meanwhile, and the apply waits. Later, the gateway is told to end, and starts
// again. Requests fail while there is none, and at no other time.
func TestGatewayGoesAndComesBack(t *testing.T) {
	beside(t, loaded)
	cluster := shared(t)
	c := newCanary(t, gateway(t, cluster))
	pause(t, watched)
	x := c.startApply(c.v2)
	c.until(10)
	pause(t, watched)
	var half shift
	killed := c.without(cluster.Kill, func() { half = c.until(50) })
	if _, err := x.wait(); err != nil {
		t.Fatal(err)
	}
	pause(t, watched)
	ended := c.without(cluster.End, func() {})
	pause(t, watched)
	answers := c.load.end()

	t.Logf("offered %d, answered: %s", c.load.offered, sum(answers))
	t.Logf("the killed gateway was away for %s, and accepted 50 %% %s after the write; the one that was told to end was away for %s",
		ms(killed.from, killed.to), ms(half.asked, c.acceptedAt(half.generation)), ms(ended.from, ended.to))
	marks := append(c.marks(), mark{killed.from, "killed"}, mark{killed.to, "back"}, mark{ended.from, "told to end"}, mark{ended.to, "back"})
	c.load.draw(t, "canary-gateway", "the gateway is away when 50 % are written, and later: answers a second", answers, marks)
	c.load.mustNotFail(t, slices.DeleteFunc(slices.Clone(answers), func(a answer) bool { return killed.during(a) || ended.during(a) }))
	for _, o := range []absence{killed, ended} {
		if len(failedOf(between(answers, o.from, o.to))) == 0 {
			t.Error("nobody noticed that there was no gateway")
		}
	}
	c.mustSplit(answers)
	c.wantShares(10, 50, 100)
	c.planIsEmpty(c.v2)
	c.close()
}
