//go:build e2e

package e2e_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

// The rates that are offered to a gateway, in requests a second.
const (
	gatewayFreshRate = 400
	gatewayKeptRate  = 800
	gatewayCallRate  = 200
	gatewayLineRate  = 200
)

// inUse is held by the test that has a gateway.
var inUse sync.Mutex

// gateway is a cluster's gateway. All tests share it, one at a time: some end it,
// there is one route for TCP, and whatever it reads makes it count its shares anew.
func gateway(t testing.TB, c *testnode.Cluster) testnode.Gateway {
	t.Helper()
	inUse.Lock()
	t.Cleanup(inUse.Unlock)
	g, err := c.Gateway(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// loadThrough is load on a hostname, through a gateway.
func loadThrough(t testing.TB, g testnode.Gateway, host string) *load {
	l := newLoad(t, "http://"+g.Web)
	l.host = host
	return l
}

// TestGatewaySplit moves weights of routes between two releases while requests
// come in, by HTTP, by gRPC and on plain connections. None may fail, and each weight
// is what its release gets, once it is in effect; a third one, with a weight of 0, gets
// nothing. This is about the gateway, and about what measures it; other tests are about
// the provider's routes.
func TestGatewaySplit(t *testing.T) {
	beside(t, loaded)
	g, namespace := gateway(t, shared(t)), newNamespace(t)
	one, other, third := released(t, namespace, "v1"), released(t, namespace, "v2"), released(t, namespace, "v3")
	releases := []string{one.release(), other.release(), third.release()}
	host := namespace + ".example.com"
	through := []struct {
		*route
		*load
	}{
		{newRoute(t, g, one, "HTTPRoute", "httproutes", host, "http", releases), loadThrough(t, g, host)},
		{newRoute(t, g, one, "GRPCRoute", "grpcroutes", "calls."+host, "http", releases), loadThrough(t, g, "calls."+host)},
		{newRoute(t, g, one, "TCPRoute", "tcproutes", "", "tcp", releases), newLoad(t, "http://"+g.TCP)},
	}
	web, called, plain := through[0].load, through[1].load, through[2].load
	web.untilAnswered("v1", newSingle)
	called.untilAnswered("v1", newCaller(called))
	plain.untilAnswered("v1", newLiner)
	web.offer(gatewayFreshRate, 100, newSingle)
	web.offer(gatewayKeptRate, 40, newKeepAlive("kept"))
	called.offer(gatewayCallRate, 10, newCaller(called))
	plain.offer(gatewayLineRate, 50, newLiner)

	const calm = 3 * time.Second
	for _, weight := range []int{10, 50, 100, 0} {
		pause(t, calm)
		for _, each := range through {
			each.weigh(weight)
		}
	}
	pause(t, calm)
	for _, each := range through {
		answers := each.end()
		t.Logf("%s: offered %d, answered: %s", each.kind, each.offered, sum(answers))
		each.mustNotFail(t, answers)
		each.mustSplit(answers)
		if n := answeredBy(answers, "v3"); n > 0 {
			t.Errorf("%s: with a weight of 0 all the time, v3 has answered %d times", each.kind, n)
		}
		each.draw(t, "gateway-"+strings.ToLower(each.kind), each.kind+", weights moved: answers a second", answers, each.marks())
	}
	for _, each := range through {
		each.remove()
	}
	for _, w := range []*workspace{one, other, third} {
		if _, err := w.destroy(); err != nil {
			t.Error(err)
		}
	}
}

// released is a workspace with a release alone, which nobody has made main.
func released(t testing.TB, namespace, version string) *workspace {
	t.Helper()
	w := newWorkspace(t, namespace)
	w.mustApply(config{version: version, noMain: true, tcpPort: tcpPort, env: map[string]string{"APP_TCP_PORT": strconv.Itoa(tcpPort)}})
	return w
}

// tcpPort is where the application answers lines.
const tcpPort = 9000

// untilAnswered waits until a version answers, or any if it is empty: a gateway
// accepts a route before it serves it.
func (l *load) untilAnswered(version string, newClient func() client) {
	l.t.Helper()
	testcluster.Eventually(l.t, testcluster.Hang, orDefault(version, "somebody")+" to answer through the gateway", func() error {
		c := newClient()
		defer c.close()
		a := c.do(l)
		if a.err == nil && version != "" && a.version != version {
			a.err = fmt.Errorf("it is %q", a.version)
		}
		return a.err
	})
}
