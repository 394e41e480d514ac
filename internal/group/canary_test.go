package group_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/group"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// route is what shares the traffic of an application; nil where nothing does.
func (s *shop) route(application string) *traffic.RouteSpec {
	if !slices.Contains(s.routed, application) {
		return nil
	}
	return &traffic.RouteSpec{
		Namespace: s.namespace, Application: application, Name: application, Kind: traffic.HTTPRoute, Port: "http", Settle: time.Millisecond,
		Parents: []gatewayv1.ParentReference{{Name: "public"}}, Hostnames: []gatewayv1.Hostname{gatewayv1.Hostname(application + ".example.com")},
	}
}

// onRoutes is a shop on v1 with v2 beside it, in which some applications have routes.
func onRoutes(t *testing.T, c *testcluster.Cluster, routed []string, others ...string) *shop {
	t.Helper()
	s := shopOn(t, c, slices.Concat(routed, others)...)
	s.routed = routed
	c.DataPlane(t, s.namespace, "httproutes")
	s.begin()
	return s
}

// together is a canary of all in one wave.
func together(steps ...release.CanaryStep) func(*asked) {
	return func(a *asked) {
		a.waves = []release.WaveSpec{{Members: slices.Sorted(maps.Keys(a.versions))}}
		a.canary.Steps = steps
	}
}

func step(weight int) release.CanaryStep {
	return release.CanaryStep{Weight: weight, Pause: 50 * time.Millisecond}
}

func gate(weight int) release.CanaryStep {
	return release.CanaryStep{Weight: weight, Gate: release.GateManual}
}

// look is an address as a Read sees it.
func (s *shop) look(application string) observe.Main {
	s.t.Helper()
	p := s.process()
	defer p.end()
	o := observe.Mains(s.t.Context(), p.on, s.namespace, application, application)[0]
	if o.Err != nil {
		s.t.Fatal(o.Err)
	}
	return o
}

// shares are what v2, or else v3, has of the traffic of each application, in percent.
func (s *shop) shares() string {
	s.t.Helper()
	var texts []string
	for _, application := range s.applications {
		o := s.look(application)
		text := "v1"
		for _, version := range []string{"v2", "v3"} {
			if share := o.Split[s.name(application, version)]; share > 0 {
				text = fmt.Sprintf("%s %d", version, share)
			}
		}
		texts = append(texts, application+" "+text)
	}
	return strings.Join(texts, ", ")
}

func (s *shop) wantShares(want string) {
	s.t.Helper()
	testcluster.Eventually(s.t, testcluster.Hang, "the shares", func() error {
		if got := s.shares(); got != want {
			return fmt.Errorf("they are %s, want %s", got, want)
		}
		return nil
	})
}

// sharedBy is what a request gives of an application's traffic to a version, as
// "api v2 10"; empty where it writes no route.
func (s *shop) sharedBy(r *testcluster.Request) string {
	if !r.Write() || path.Base(path.Dir(r.Path)) != "httproutes" {
		return ""
	}
	var route gatewayv1.HTTPRoute
	if err := json.Unmarshal(r.Body, &route); err != nil || len(route.Spec.Rules) == 0 {
		return ""
	}
	text := ""
	for _, ref := range route.Spec.Rules[len(route.Spec.Rules)-1].BackendRefs {
		if short := s.short(string(ref.Name)); *ref.Weight > 0 && (text == "" || !strings.HasSuffix(short, "v1")) {
			text = fmt.Sprintf("%s %d", short, *ref.Weight)
		}
	}
	return text
}

// went are the writes of routes and Services that the API server has taken, in their
// order, each as "api v2 10" or "Service api v2". What is written twice in a row is one.
func (s *shop) went() (all []string) {
	s.t.Helper()
	for _, r := range s.proxy.Requests() {
		text := s.sharedBy(&r)
		if moved := s.moved(&r); moved != "" {
			text = "Service " + moved
		}
		if text != "" && r.Status/100 == 2 && !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return all
}

// inLevels fails the test unless what was written came level by level: within one, in
// any order.
func inLevels(t *testing.T, got []string, levels ...[]string) {
	t.Helper()
	left := got
	for _, level := range levels {
		n := min(len(level), len(left))
		if !slices.Equal(slices.Sorted(slices.Values(left[:n])), slices.Sorted(slices.Values(level))) {
			t.Fatalf("it wrote %q, want the levels %q", got, levels)
		}
		left = left[n:]
	}
	if len(left) > 0 {
		t.Errorf("it wrote %q, want the levels %q", got, levels)
	}
}

// resume does what a group that is paused says, for one of its members.
func (s *shop) resume(application string) {
	s.t.Helper()
	request, err1 := json.Marshal(release.Resuming(s.look(application).Main.Progress))
	patch, err2 := json.Marshal(map[string]any{"data": map[string]string{release.RequestKey: string(request)}})
	_, err3 := s.cluster.Client().CoreV1().ConfigMaps(s.namespace).Patch(s.t.Context(), release.MainName(application), types.MergePatchType, patch, metav1.PatchOptions{})
	if err := errors.Join(err1, err2, err3); err != nil {
		s.t.Fatal(err)
	}
}

// promotes promotes, and wants the status at the end.
func (s *shop) promotes(want release.MainStatus, a asked) group.Result {
	s.t.Helper()
	s.proxy.Reset()
	done, err := s.once().promote(s.t.Context(), a)
	if err != nil || done.Status != want {
		s.t.Fatalf("it ends as %s (%s, %s), want %s: %v", done.Status, statuses(done), done.Reason, want, err)
	}
	return done
}

// onShare calls do once it is written down that an application has a share.
func (s *shop) onShare(share string, do func()) {
	seen := make(chan struct{}, 1)
	application, _, _ := strings.Cut(share, " ")
	s.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		switch {
		case s.sharedBy(r) == share:
			select {
			case seen <- struct{}{}:
			default:
			}
		case r.Write() && path.Base(r.Path) == release.MainName(application):
			select {
			case <-seen:
				return testcluster.Fault{}.BeforeReply(do) // whoever wrote it goes on when that is done
			default:
			}
		}
		return testcluster.Fault{}
	})
}

func TestGroupCanary(t *testing.T) {
	t.Parallel()
	c := testcluster.Routed(t, 1)[0]
	for name, test := range map[string]func(*testing.T, *testcluster.Cluster){
		"level by level":          levelByLevel,
		"wave by wave":            canaryInWaves,
		"one fails, all go back":  oneFailsAllGoBack,
		"only one goes back":      onlyOneGoesBack,
		"is called off":           canaryIsCalledOff,
		"a Service stays behind":  serviceStaysBehind,
		"is paused, and goes on":  groupIsPaused,
		"is paused between waves": pausedBetweenWaves,
		"is held at its most":     groupIsHeld,
		"one restarts":            oneRestarts,
		"goes back from a pause":  backFromPause,
		"one goes back":           oneOnItsWayBack,
		"floors are held":         floorsAreHeld,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, c)
		})
	}
}

// levelByLevel: all get a share before any gets the next. Who has no route moves with the
// last, and every Service follows at the commit.
func levelByLevel(t *testing.T, c *testcluster.Cluster) {
	s := onRoutes(t, c, []string{"api", "auth"}, "web")
	check := s.watch()
	done := s.promotes(release.MainFinalized, s.request("v2", together(step(10), step(50))))
	wantStatus(t, done, release.MainFinalized, "api=finalized auth=finalized web=finalized")
	inLevels(t, s.went(), []string{"api v2 10", "auth v2 10"}, []string{"api v2 50", "auth v2 50"}, []string{"api v2 100", "auth v2 100", "Service web v2"}, []string{"Service api v2", "Service auth v2"})
	s.stands(s.all("v2"))
	check()
}

// canaryInWaves: the next wave begins with its first share when the former has all.
func canaryInWaves(t *testing.T, c *testcluster.Cluster) {
	s := onRoutes(t, c, []string{"api", "auth"})
	s.promotes(release.MainFinalized, s.request("v2", func(a *asked) { a.canary.Steps = []release.CanaryStep{step(10)} }))
	inLevels(t, s.went(), []string{"api v2 10"}, []string{"api v2 100"}, []string{"auth v2 10"}, []string{"auth v2 100"}, []string{"Service api v2", "Service auth v2"})
	s.stands(s.all("v2"))
}

// long is a share at which something is to happen.
func long(weight int) release.CanaryStep {
	return release.CanaryStep{Weight: weight, Pause: forEver}
}

func oneFailsAllGoBack(t *testing.T, c *testcluster.Cluster) {
	s := onRoutes(t, c, []string{"api", "auth"}, "web")
	check := s.watch()
	s.proxy.Reset()
	s.onShare("auth v2 50", func() { s.unready(s.name("auth", "v2")) })
	done, err := s.once().promote(t.Context(), s.request("v2", together(step(10), long(50))))
	s.proxy.SetFault(nil)
	tells(t, err, "auth: Deployment", "had had 50 % of the traffic")
	wantStatus(t, done, release.MainRolledBack, "api=rolled_back auth=rolled_back web=waiting_for_instances")
	inLevels(t, s.went(), []string{"api v2 10", "auth v2 10"}, []string{"api v2 50", "auth v2 50"}, []string{"api v1 100", "auth v1 100"})
	s.stands(s.all("v1"))
	s.wantStarted(map[string]bool{"api v2": true, "auth v2": false, "web v2": true})
	check()
}

// wantStarted fails the test unless those releases are asked for pods that shall be. One
// that is not is stopped because its traffic was taken back.
func (s *shop) wantStarted(want map[string]bool) {
	s.t.Helper()
	p := s.process()
	defer p.end()
	for short, started := range want {
		application, version, _ := strings.Cut(short, " ")
		name := s.name(application, version)
		d, err := s.cluster.Client().AppsV1().Deployments(s.namespace).Get(s.t.Context(), name, metav1.GetOptions{})
		if err != nil {
			s.t.Fatal(err)
		}
		if (*d.Spec.Replicas > 0) != started {
			s.t.Errorf("%s is asked for %d pods", short, *d.Spec.Replicas)
		}
		o := observe.Releases(s.t.Context(), []ownership.Cluster{p.on[0]}, release.ID{Namespace: s.namespace, Name: name})[0]
		if o.Err != nil || release.StaysStopped(o.Reason()) == started {
			s.t.Errorf("a Read says of %s %s, %q: %v", short, o.Status(), o.Reason(), o.Err)
		}
	}
}

// onlyOneGoesBack, and the others go on to the end.
func onlyOneGoesBack(t *testing.T, c *testcluster.Cluster) {
	s := onRoutes(t, c, []string{"api", "auth"})
	s.onShare("auth v2 10", func() { s.unready(s.name("auth", "v2")) })
	pause := release.CanaryStep{Weight: 10, Pause: 5 * time.Second} // in which it is seen
	done, err := s.once().promote(t.Context(), s.request("v2", together(pause), scope(release.ScopeMember)))
	s.proxy.SetFault(nil)
	tells(t, err, "auth: Deployment", "had had 10 % of the traffic")
	wantStatus(t, done, release.MainRolledBack, "api=finalized auth=rolled_back")
	s.stands(map[string]string{"api": "v2", "auth": "v1"})
	s.wantStarted(map[string]bool{"api v2": true, "auth v2": false})
}

func canaryIsCalledOff(t *testing.T, c *testcluster.Cluster) {
	s := onRoutes(t, c, []string{"api", "auth"}, "web")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.onShare("auth v2 10", cancel)
	done, err := s.once().promote(ctx, s.request("v2", together(long(10))))
	s.proxy.SetFault(nil)
	if done.Members["api"].Moved {
		t.Error("api has moved")
	}
	tells(t, err, "was told to give it back", "auth-") // and where it is
	wantStatus(t, done, release.MainRollingBack, "api=rolling_back auth=rolling_back web=waiting_for_instances")
	s.wantShares("api v1, auth v1, web v1")
	s.promotes(release.MainFinalized, s.request("v2", together(step(10))))
	s.stands(s.all("v2"))
}

// serviceStaysBehind: a member's traffic is where its route leads. The next run goes on
// from there.
func serviceStaysBehind(t *testing.T, c *testcluster.Cluster) {
	s := onRoutes(t, c, []string{"api", "auth"})
	s.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Method != http.MethodPatch || !strings.HasSuffix(r.Path, "/services/auth") {
			return testcluster.Fault{}
		}
		return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "not today")
	})
	done, err := s.once().promote(t.Context(), s.request("v2", together(step(10))))
	s.proxy.SetFault(nil)
	if err == nil || !done.Members["auth"].Moved || !done.Members["api"].Moved {
		t.Errorf("auth has moved: %t, and api: %t; it ends as %s: %v", done.Members["auth"].Moved, done.Members["api"].Moved, done.Status, err)
	}
	tells(t, err, "auth (", "traffic: "+s.name("auth", "v2"))
	s.promotes(release.MainFinalized, s.request("v2", together(step(10))))
	s.stands(s.all("v2"))
}

// groupIsPaused: as often as nobody has said anything. What is said of one of its members
// is for all.
func groupIsPaused(t *testing.T, c *testcluster.Cluster) {
	s := onRoutes(t, c, []string{"api", "auth"}, "web")
	canary := s.request("v2", together(gate(10), gate(50)))
	for i, share := range []string{"10", "50"} {
		for range 2 {
			done := s.promotes(release.MainPaused, canary)
			wantStatus(t, done, release.MainPaused, "api=paused auth=paused web=paused")
			if text := done.Reason; !strings.Contains(text, "kubectl patch configmap api-switchback") || !strings.Contains(text, "for all of the group") {
				t.Errorf("it says %s", text)
			}
			s.wantShares("api v2 " + share + ", auth v2 " + share + ", web v1")
		}
		s.waits(true)
		if text := s.look("web").Waits; !strings.Contains(text, "waits for the other members") {
			t.Errorf("of web, a Read says %q", text)
		}
		s.resume([]string{"auth", "api"}[i])
		s.waits(false)
	}
	s.promotes(release.MainFinalized, canary)
	inLevels(t, s.went(), []string{"api v2 50", "auth v2 50"}, []string{"api v2 100", "auth v2 100", "Service web v2"}, []string{"Service api v2", "Service auth v2"})
	s.stands(s.all("v2"))
}

// waits returns when a Read sees that the whole group is in a pause that lasts, or that it
// is not.
func (s *shop) waits(want bool) {
	s.t.Helper()
	testcluster.Eventually(s.t, testcluster.Hang, "a Read that sees the pause", func() error {
		all := true
		for _, application := range s.applications {
			all = all && s.look(application).Waits != ""
		}
		if all != want {
			return errors.New("it does not")
		}
		return nil
	})
}

// pausedBetweenWaves: a former wave waits with all of its traffic, and is not watched
// once more; a later one waits with nothing.
func pausedBetweenWaves(t *testing.T, c *testcluster.Cluster) {
	s := onRoutes(t, c, []string{"api", "auth", "web"}, "db")
	canary := s.request("v2", func(a *asked) {
		a.canary.Steps = []release.CanaryStep{gate(50)}
		a.waves = []release.WaveSpec{{Members: []string{"api", "db"}, Bake: 50 * time.Millisecond}, {Members: []string{"auth"}}, {Members: []string{"web"}}}
	})
	s.promotes(release.MainPaused, canary)
	s.wantShares("api v2 50, auth v1, web v1, db v1")
	s.resume("api")
	s.promotes(release.MainPaused, canary)
	s.wantShares("api v2 100, auth v2 50, web v1, db v2 100")
	s.waits(true)
	for _, application := range []string{"api", "db"} {
		if p := s.look(application).Main.Progress; !p.Baked() || !p.Open() {
			t.Errorf("%s is at %+v", application, p)
		}
	}
	s.resume("auth")
	canary.waves[0].Bake = forEver // it has been watched
	s.promotes(release.MainPaused, canary)
	s.wantShares("api v2 100, auth v2 100, web v2 50, db v2 100")
	s.unready(s.name("web", "v2"))
	_, err := s.once().promote(t.Context(), canary)
	tells(t, err, "web: ")
	s.stands(s.all("v1"))
}

func groupIsHeld(t *testing.T, c *testcluster.Cluster) {
	s := onRoutes(t, c, []string{"api", "auth"}, "web")
	canary := s.request("v2", together(step(10), step(50)))
	for _, most := range []int{5, 10, 50} { // below the first share, they get nothing yet
		canary.canary.MaxWeight = most
		done := s.promotes(release.MainPaused, canary)
		if !strings.Contains(done.Reason, "canary.max_weight") {
			t.Errorf("it says %s", done.Reason)
		}
		want := fmt.Sprintf("api v2 %d, auth v2 %[1]d, web v1", most)
		if most < 10 {
			want = "api v1, auth v1, web v1"
		}
		s.wantShares(want)
		s.waits(true)
	}
	canary.canary.MaxWeight = 0
	s.promotes(release.MainFinalized, canary)
	s.stands(s.all("v2"))
}

// oneRestarts with another release, from the beginning. The others hold at their share,
// until it has that, too.
func oneRestarts(t *testing.T, c *testcluster.Cluster) {
	s := onRoutes(t, c, []string{"api", "auth"}, "web")
	p := s.process()
	p.deploy("auth", "v3")
	p.end()
	canary := s.request("v2", together(gate(10), gate(50)))
	s.promotes(release.MainPaused, canary)
	s.resume("api")
	s.promotes(release.MainPaused, canary)
	s.wantShares("api v2 50, auth v2 50, web v1")
	canary.versions["auth"] = "v3"
	done := s.promotes(release.MainPaused, canary)
	s.wantShares("api v2 50, auth v3 10, web v1")
	if !strings.HasPrefix(done.Reason, "auth: ") {
		t.Errorf("it says %s", done.Reason)
	}
	for _, shared := range s.went() {
		if strings.HasPrefix(shared, "api ") && shared != "api v2 50" {
			t.Errorf("it wrote %s", shared)
		}
	}
	s.resume("auth")
	s.promotes(release.MainPaused, canary)
	s.wantShares("api v2 50, auth v3 50, web v1")
	s.resume("auth") // for api, too, which has not come past this pause
	s.promotes(release.MainFinalized, canary)
	want := s.all("v2")
	want["auth"] = "v3"
	s.stands(want)
}

// backFromPause: asked for what was main before, all of it goes back in one step.
func backFromPause(t *testing.T, c *testcluster.Cluster) {
	s := onRoutes(t, c, []string{"api", "auth"}, "web")
	for _, back := range []func(){
		func() { s.promotes(release.MainFinalized, s.request("v1", together(gate(50)))) },
		func() {
			s.proxy.Reset()
			p := s.once()
			defer p.done()
			if _, err := p.back(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
	} {
		s.promotes(release.MainPaused, s.request("v2", together(gate(50))))
		s.wantShares("api v2 50, auth v2 50, web v1")
		if text := s.look("web").Waits; text != s.name("web", "v2")+" has 0 % of the traffic, and waits for the other members of its group" {
			t.Errorf("of web, a Read says %s", text)
		}
		back()
		for _, shared := range s.went() {
			if shared != "api v1 100" && shared != "auth v1 100" && !strings.HasPrefix(shared, "Service") {
				t.Errorf("it wrote %s", shared)
			}
		}
		s.stands(s.all("v1"))
	}
}

// oneOnItsWayBack waits for nobody's pause.
func oneOnItsWayBack(t *testing.T, c *testcluster.Cluster) {
	s := onRoutes(t, c, []string{"api", "auth"}, "web")
	there := s.request("v2", together())
	there.versions["api"] = "v1"
	s.promotes(release.MainFinalized, there)
	canary := s.request("v1", together(gate(50)))
	canary.versions["api"] = "v2"
	s.promotes(release.MainPaused, canary)
	s.wantShares("api v2 50, auth v1, web v1")
	s.waits(true)
	s.resume("api")
	s.promotes(release.MainFinalized, canary)
	want := s.all("v1")
	want["api"] = "v2"
	s.stands(want)
}
