package rollout_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// asked is what a verb asked of the cluster, but for what only shows that its process
// lives, for the beginnings of watches, and for Events, which nobody waits for.
func asked(p *testcluster.Proxy) (all []testcluster.Request) {
	return slices.DeleteFunc(p.Requests(), func(r testcluster.Request) bool {
		return r.Watch() || r.Renewal() || strings.HasSuffix(r.Path, "/events") && r.Write()
	})
}

// asksLittle: each share more costs the same few requests, and waiting with it costs none:
// the long pauses of the second canary are watched, and not polled.
func asksLittle(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	cost := func(version string, canary release.Canary) (requests, writes int) {
		l.proxy.Reset()
		_, err := p.sharing(t.Context(), version, canary, nil)
		must(t, err)
		var text strings.Builder
		for _, r := range asked(l.proxy) {
			fmt.Fprintln(&text, r.String())
			if requests++; r.Write() {
				writes++
			}
		}
		t.Logf("%d shares, and all: %d requests, %d of them writes\n%s", len(canary.Steps), requests, writes, text.String())
		return requests, writes
	}
	requests, writes := cost("v2", steps(50))
	must(t, p.deploy(t.Context(), "v3"))
	four := steps(5, 25, 50, 75)
	for i := range four.Steps {
		four.Steps[i].Pause *= 20
	}
	requestsOfFour, writesOfFour := cost("v3", four)
	// What is written before a share, the route, and what is written after it. What is read
	// is what these writes have as their precondition.
	if more, write := requestsOfFour-requests, writesOfFour-writes; more > 3*8 || write > 3*3 {
		t.Errorf("three shares more make %d requests more, %d of them writes", more, write)
	}
	if requestsOfFour > 57 { // once, it asks both releases for autoscalers, and whether the new one stands at the end
		t.Errorf("a canary of four shares makes %d requests", requestsOfFour)
	}
}
