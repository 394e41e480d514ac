package rollout_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestCanaryOfAKindThatGoes: somebody takes the Gateway API away, and every route with it,
// while v2 has a share. Nothing else moves by that, and nobody loses a pod. The error says
// what is missing, until the kind is there again: the route then leads to v1 first.
func TestCanaryOfAKindThatGoes(t *testing.T) {
	t.Parallel()
	c := testcluster.Start(t)
	for _, tt := range []struct {
		name string
		at   string // the line at which it goes
		deaf bool   // nobody accepts a share by then
	}{
		{"in a pause", "watching", false},
		{"while a share is to take effect", "prod: moving 10 %", true},
	} {
		c.HTTPRoutes(t)
		l, p, plane := onRouteBehind(t, c)
		p.engine = impatient()
		plane.Say(t, func(route map[string]any) []map[string]any {
			if tt.deaf && len(leading(route)) > 1 {
				return nil
			}
			return testcluster.Accepting(route)
		})
		pods := l.pods("v1")
		want := func(done rollout.Promoted, err error, ends release.MainStatus) {
			t.Helper()
			if done.Status != ends || done.Moved {
				t.Errorf("%s: it ends as %s", tt.name, done.Status)
			}
			var missing *release.NoGatewayAPIError
			if !errors.As(err, &missing) || missing.Gone != l.namespace+"/api" || !strings.Contains(err.Error(), "httproutes.gateway.networking.k8s.io is not installed") {
				t.Errorf("%s: it says %v", tt.name, err)
			}
			l.wantSplit(p, release.Split{l.name("v1"): 100})
			if now := l.address().Spec.Selector[release.LabelDeployment]; now != l.name("v1") {
				t.Errorf("%s: the Service leads to %s", tt.name, now)
			}
			if now := l.pods("v1"); !slices.Equal(now, pods) {
				t.Errorf("%s: its pods were %v, and are %v", tt.name, pods, now)
			}
		}
		var done rollout.Promoted
		begun, ended := make(chan struct{}), make(chan error, 1)
		go func() {
			var err error
			done, err = p.sharing(t.Context(), "v2", release.Canary{Steps: []release.CanaryStep{{Weight: 10, Pause: longBake}}}, func(line string) {
				if strings.HasPrefix(line, tt.at) {
					close(begun)
				}
			})
			ended <- err
		}()
		select {
		case <-begun:
		case err := <-ended:
			t.Fatalf("%s: it did not come so far: %v", tt.name, err)
		}
		l.wantSplit(l.process(t), release.Split{l.name("v1"): 90, l.name("v2"): 10})
		forgotten, stop := context.WithCancel(t.Context())
		l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
			if writesRoute(r) {
				<-forgotten.Done() // until then, the API server says that the definition is about to go
			}
			return testcluster.Fault{}
		})
		c.Forget(t, "httproutes")
		stop()
		l.proxy.SetFault(nil)
		err := <-ended
		want(done, err, release.MainFailed)
		if text := err.Error(); !strings.Contains(text, "going back failed too; the next apply continues from here") {
			t.Errorf("%s: it says %s", tt.name, text)
		}
		p = l.process(t) // which has not seen any of it
		p.engine = impatient()
		done, err = p.sharing(t.Context(), "v2", steps(10), nil)
		want(done, err, release.MainRunning)
		c.HTTPRoutes(t)
		c.DataPlane(t, l.namespace, "httproutes")
		p = l.process(t)
		l.proxy.Reset()
		_, err = p.sharing(t.Context(), "v2", steps(10), nil)
		must(t, err)
		if got := l.writtenShares("v2"); !slices.Equal(got, []int{0, 10, 100}) {
			t.Errorf("%s: v2 had the shares %v", tt.name, got)
		}
		l.wantMain("v2", "v1")
	}
}
