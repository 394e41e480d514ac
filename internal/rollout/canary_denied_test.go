package rollout_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// isDeniedInAPause: whoever serves the route says, or says no more, in the middle of a pause
// that it does not. All of the traffic goes back, and the release is not to blame.
func isDeniedInAPause(t *testing.T, c *testcluster.Cluster) {
	l, p, plane := onRouteBehind(t, c)
	canary := release.Canary{Steps: []release.CanaryStep{{Weight: 10, Pause: longBake}}}
	shared := func(route map[string]any) bool { // what goes back is accepted again
		rules := route["spec"].(map[string]any)["rules"].([]any)
		return len(rules[0].(map[string]any)["backendRefs"].([]any)) > 1
	}
	for name, tt := range map[string]struct {
		says  func(map[string]any) []map[string]any
		tells string
	}{
		"it says so": {func(route map[string]any) []map[string]any {
			return []map[string]any{testcluster.Condition(route, "Accepted", false, "NotAllowedByListeners", "no listener takes it any more")}
		}, "says Accepted=False, NotAllowedByListeners: no listener takes it any more"},
		"its backends are refused": {func(route map[string]any) []map[string]any {
			return []map[string]any{testcluster.Condition(route, "Accepted", true, "Accepted", ""), testcluster.Condition(route, "ResolvedRefs", false, "RefNotPermitted", "not from here")}
		}, "says ResolvedRefs=False, RefNotPermitted: not from here"},
		"it says no more": {func(map[string]any) []map[string]any { return nil }, "says nothing about it any more: there is no such parent, or its controller has let go of the route"},
	} {
		plane.Say(t, testcluster.Accepting)
		done, err := p.sharing(t.Context(), "v2", canary, func(line string) {
			if strings.HasPrefix(line, "watching") {
				plane.Say(t, func(route map[string]any) []map[string]any {
					if shared(route) {
						return tt.says(route)
					}
					return testcluster.Accepting(route)
				})
			}
		})
		var breach *rollout.BakeError
		if err == nil || errors.As(err, &breach) || done.Status != release.MainRolledBack || done.Moved {
			t.Fatalf("%s: it ends as %s: %v", name, done.Status, err)
		}
		if text := err.Error(); !strings.Contains(text, tt.tells) || !strings.Contains(text, "had 10 % of the traffic") || !strings.Contains(text, "HTTPRoute "+l.namespace+"/api is not served any more") {
			t.Errorf("%s: it says %s", name, text)
		}
		l.wantSplit(p, release.Split{l.name("v1"): 100})
		l.wantMain("v1")
	}
	plane.Say(t, testcluster.Accepting)
	_, err := p.sharing(t.Context(), "v2", steps(10), nil) // it is tried again, unasked
	must(t, err)
	l.wantMain("v2", "v1")
}

// removeRoute is what somebody does to the route of the application.
func (l *life) removeRoute() {
	l.t.Helper()
	must(l.t, l.cluster.Client().Discovery().RESTClient().Delete().AbsPath("/apis/gateway.networking.k8s.io/v1/namespaces", l.namespace, "httproutes/api").Do(l.t.Context()).Error())
}

// routeGoesInAShift: somebody removes the route before anybody has accepted a share. It is
// made again, with the share that is wanted, and the promotion goes on.
func routeGoesInAShift(t *testing.T, c *testcluster.Cluster) {
	l, p, plane := onRouteBehind(t, c)
	plane.Say(t, func(map[string]any) []map[string]any { return nil })
	ended := make(chan error, 1)
	go func() {
		_, err := p.sharing(t.Context(), "v2", steps(10), nil)
		ended <- err
	}()
	l.wantSplit(l.process(t), release.Split{l.name("v1"): 90, l.name("v2"): 10})
	l.removeRoute()
	plane.Say(t, testcluster.Accepting)
	must(t, <-ended)
	l.wantSplit(p, release.Split{l.name("v2"): 100})
	l.wantMain("v2", "v1")
}

// routeGoesInAPause: somebody removes the route while v2 is watched with a share. The release
// is not to blame: all of the traffic goes back, by a route that is made again.
func routeGoesInAPause(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	done, err := p.sharing(t.Context(), "v2", release.Canary{Steps: []release.CanaryStep{{Weight: 10, Pause: longBake}}}, func(line string) {
		if strings.HasPrefix(line, "watching") {
			l.removeRoute()
		}
	})
	var breach *rollout.BakeError
	if err == nil || errors.As(err, &breach) || done.Status != release.MainRolledBack || done.Moved {
		t.Fatalf("it ends as %s: %v", done.Status, err)
	}
	if text := err.Error(); !strings.Contains(text, "had 10 % of the traffic") || !strings.Contains(text, "HTTPRoute "+l.namespace+"/api is gone: somebody has removed it") {
		t.Errorf("it says %s", text)
	}
	if len(l.routes(t)) != 1 {
		t.Fatal("clients of the route reach nobody")
	}
	l.wantSplit(p, release.Split{l.name("v1"): 100})
	l.wantMain("v1")
	_, err = p.sharing(t.Context(), "v2", steps(10), nil) // it is tried again, unasked
	must(t, err)
	l.wantMain("v2", "v1")
}

// aShareIsRefused: the API server does not take the write of a share, to the end. What may
// heal is tried until the deadline, and anything else once. The step is not counted, and all
// of the traffic goes back in one. Where that is not taken either, it stays as it is, until a
// run that may write goes on. Nobody has lost a pod by then.
func aShareIsRefused(t *testing.T, c *testcluster.Cluster) {
	l, p := onRoute(t, c)
	pods, held := l.pods("v1"), release.Split{l.name("v1"): 90, l.name("v2"): 10}
	for _, tt := range []struct {
		name  string
		fault testcluster.Fault
		never bool // nor does it take the way back
		ends  release.MainStatus
		tells string
	}{
		{"not allowed", testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "not you"), false, release.MainRolledBack, "not you. Whoever applies must be allowed to patch httproutes in the namespace " + l.namespace},
		{"invalid", testcluster.Reject(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, "not so"), false, release.MainRolledBack, "not so. Change what is said there of the HTTPRoute, and apply again"},
		{"a broken webhook", testcluster.Reject(http.StatusInternalServerError, metav1.StatusReasonInternalError, "not now"), false, release.MainRolledBack, "not now. See why the API server, or a webhook that is named there, does not do its work"},
		{"out of order", testcluster.Unavailable(), false, release.MainRolledBack, "its time is over"},
		{"never again", testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "not you"), true, release.MainFailed, "going back failed too; the next apply continues from here"},
	} {
		ctx, over := testcluster.Deadline(t, errors.New("its time is over"))
		tries := 0
		l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
			if !writesRoute(r) || shareIn(t, r.Body, l.name("v2")) != 50 && (tries == 0 || !tt.never) {
				return testcluster.Fault{}
			}
			if now := traffic.RouteSplit(&l.routes(t)[0]); !maps.Equal(now, held) {
				t.Errorf("%s: while it is refused, the split is %s", tt.name, now)
			}
			if tries++; tries == 5 {
				over()
			}
			return tt.fault
		})
		done, err := p.sharing(ctx, "v2", steps(10, 50), nil)
		l.proxy.SetFault(nil)
		if err == nil || done.Status != tt.ends || done.Moved {
			t.Fatalf("%s: it ends as %s: %v", tt.name, done.Status, err)
		}
		write := fmt.Sprintf("cannot apply HTTPRoute %s/api: ", l.namespace)
		if text := err.Error(); !strings.Contains(text, tt.tells) || !strings.Contains(text, write) || !strings.Contains(text, `cluster "prod"`) {
			t.Errorf("%s: it says %s", tt.name, text)
		}
		if now := l.pods("v1"); !slices.Equal(now, pods) {
			t.Errorf("%s: its pods were %v, and are %v", tt.name, pods, now)
		}
		want := release.Split{l.name("v1"): 100}
		if tt.never {
			want = held
		}
		l.wantSplit(p, want)
		if told := done.Clusters[0].Split; !maps.Equal(told, want) {
			t.Errorf("%s: it tells of the split %s", tt.name, told)
		}
		if main := p.look().Main; main == nil || main.Deployment != l.name("v1") {
			t.Errorf("%s: main is %+v", tt.name, main)
		}
	}
	l.proxy.Reset()
	_, err := p.sharing(t.Context(), "v2", steps(10, 50), nil)
	must(t, err)
	if got := l.writtenShares("v2"); !slices.Equal(got, []int{0, 10, 50, 100}) {
		t.Errorf("v2 had the shares %v", got)
	}
	l.wantMain("v2", "v1")
}
