package group_test

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

func TestGroupMovesInWaves(t *testing.T) {
	t.Parallel()
	s := open(t, "api", "auth", "web")
	check := s.watch()
	s.stands(s.all("v1"))
	s.proxy.Reset()
	done, err := s.once().promote(t.Context(), s.request("v2", func(a *asked) {
		a.waves = []release.WaveSpec{{Members: []string{"web", "auth"}, Bake: 300 * time.Millisecond, MaxParallel: 1}, {Members: []string{"api"}}}
		a.after["auth"] = []string{"web"}
		a.keep = 0
	}))
	if err != nil {
		t.Fatal(err)
	}
	if len(done.Notices) > 0 {
		t.Errorf("all went well, and it warns: %+v", done.Notices)
	}
	wantStatus(t, done, release.MainFinalized, "api=finalized auth=finalized web=finalized")
	wantMoves(t, s.moves(), "web v2", "auth v2", "api v2")
	s.stands(s.all("v2"))
	for _, name := range s.applications {
		if member := done.Members[name]; !member.Moved || member.Previous != s.name(name, "v1") || member.Owner != s.owner {
			t.Errorf("%s: %+v", name, member)
		}
	}
	check()
	for _, name := range s.applications {
		history := s.history(name)
		if last := history[len(history)-1]; last.Group != "shop" || !strings.Contains(last.Sentence(), `with the group "shop"`) {
			t.Errorf("the history of %s ends with %+v", name, last)
		}
	}
}

func (s *shop) history(application string) []release.Entry {
	s.t.Helper()
	p := s.process()
	h := observe.Histories(s.t.Context(), p.on, s.namespace, application)[0]
	if h.Err != nil {
		s.t.Fatal(h.Err)
	}
	return h.Entries
}

// None moves before all are ready.
func TestGroupWaitsForAll(t *testing.T) {
	t.Parallel()
	s := open(t, "api", "web")
	p, stopped := s.process(), s.spec("web", "v2")
	stopped.DesiredState = release.DesiredStopped
	if _, err := p.rollout.Update(t.Context(), rollout.UpdateRequest{Spec: stopped, Keep: p.on}); err != nil {
		t.Fatal(err)
	}
	s.proxy.Reset()
	done, err := s.once().promote(t.Context(), s.request("v2"))
	tells(t, err, "web: the deployment", "it is stopped", "api ("+s.namespace+"/api) is waiting_for_instances; traffic: "+s.name("api", "v1")+` on cluster "prod"`)
	if failed := failureOf(t, err).Failed; len(failed) != 1 || failed["web"] == nil {
		t.Errorf("failed: %v", failed)
	}
	wantStatus(t, done, release.MainFailed, "api=waiting_for_instances web=failed")
	wantMoves(t, s.moves())
	s.stands(s.all("v1"))
}

// The last to move is the first to go back, and who has not begun does not.
func TestGroupGoesBackInReverse(t *testing.T) {
	t.Parallel()
	s := open(t, "api", "auth", "db", "web")
	check := s.watch()
	s.refuse("db v2")
	done, err := s.once().promote(t.Context(), s.request("v2"))
	s.proxy.SetFault(nil)
	tells(t, err, "db: ", "not today", `the group "shop" is rolled_back`,
		"auth ("+s.namespace+"/auth) is rolled_back; traffic: "+s.name("auth", "v1")+` on cluster "prod"`,
		"web ("+s.namespace+"/web) is waiting_for_instances; traffic: "+s.name("web", "v1"))
	wantStatus(t, done, release.MainRolledBack, "api=rolled_back auth=rolled_back db=rolled_back web=waiting_for_instances")
	wantMoves(t, s.moves(), "api v2", "auth v2", "auth v1", "api v1")
	s.stands(s.all("v1"))
	for _, name := range s.applications {
		if done.Members[name].Moved {
			t.Errorf("%s has moved: %+v", name, done.Members[name])
		}
	}
	if _, err := s.once().promote(t.Context(), s.request("v2")); err != nil {
		t.Errorf("the next one does not go on: %v", err)
	}
	s.stands(s.all("v2"))
	check()
}

func TestFailureScopes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		scope   release.FailureScope
		moves   []string
		status  string
		stands  map[string]string
		history string
	}{
		{release.ScopeWave, []string{"api v2", "auth v2", "auth v1"}, "api=finalized auth=rolled_back db=rolled_back web=waiting_for_instances",
			map[string]string{"api": "v2", "auth": "v1", "db": "v1", "web": "v1"}, ""},
		{release.ScopeMember, []string{"api v2", "auth v2"}, "api=finalized auth=finalized db=rolled_back web=waiting_for_instances",
			map[string]string{"api": "v2", "auth": "v2", "db": "v1", "web": "v1"}, ""},
	} {
		t.Run(string(test.scope), func(t *testing.T) {
			t.Parallel()
			s := open(t, "api", "auth", "db", "web")
			check := s.watch()
			s.refuse("db v2")
			done, err := s.once().promote(t.Context(), s.request("v2", scope(test.scope), func(a *asked) {
				a.waves = []release.WaveSpec{{Members: []string{"api"}}, {Members: []string{"auth", "db"}}, {Members: []string{"web"}}}
				a.after["web"] = []string{"db"}
			}))
			s.proxy.SetFault(nil)
			tells(t, err, "db: ", "not today")
			wantStatus(t, done, release.MainRolledBack, test.status)
			wantMoves(t, s.moves(), test.moves...)
			s.stands(test.stands)
			for name, version := range test.stands {
				if done.Members[name].Moved != (version == "v2") {
					t.Errorf("%s: %+v", name, done.Members[name])
				}
			}
			if _, err := s.once().promote(t.Context(), s.request("v2")); err != nil {
				t.Errorf("the next one does not go on: %v", err)
			}
			s.stands(s.all("v2"))
			check()
		})
	}
}

// setReady overrules the simulated kubelet.
func (s *shop) setReady(name string, ready corev1.ConditionStatus) {
	s.t.Helper()
	client := s.cluster.Client().CoreV1().Pods(s.namespace)
	pods, err := client.List(context.Background(), metav1.ListOptions{LabelSelector: release.LabelDeployment + "=" + name})
	if err != nil {
		s.t.Error(err)
		return
	}
	patch := []byte(`{"status":{"conditions":[{"type":"Ready","status":"` + string(ready) + `"},{"type":"ContainersReady","status":"` + string(ready) + `"}]}}`)
	for _, pod := range pods.Items {
		if _, err := client.Patch(context.Background(), pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
			s.t.Error(err)
		}
	}
}

// unready lets no pod of a release be ready, and returns when the controllers know.
func (s *shop) unready(name string) {
	s.setReady(name, corev1.ConditionFalse)
	testcluster.Eventually(s.t, testcluster.Hang, "that the controllers know", func() error {
		d, err := s.cluster.Client().AppsV1().Deployments(s.namespace).Get(context.Background(), name, metav1.GetOptions{})
		if err != nil || d.Status.ReadyReplicas > 0 {
			return fmt.Errorf("%+v, %w", d.Status, err)
		}
		slices, err := s.cluster.Client().DiscoveryV1().EndpointSlices(s.namespace).List(context.Background(), metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + name})
		if err != nil {
			return err
		}
		for i := range slices.Items {
			for _, e := range slices.Items[i].Endpoints {
				if *e.Conditions.Ready {
					return fmt.Errorf("%s is ready", e.TargetRef.Name)
				}
			}
		}
		return nil
	})
}

// during calls do once an address has been moved there.
func (s *shop) during(moved string, do func()) {
	s.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if s.moved(r) == moved {
			return testcluster.Fault{}.AfterReply(do)
		}
		return testcluster.Fault{}
	})
}

// written calls do once it is written down that an address has moved there.
func (s *shop) written(moved string, do func()) {
	var mu sync.Mutex
	seen := false
	application, _, _ := strings.Cut(moved, " ")
	s.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		mu.Lock()
		defer mu.Unlock()
		if s.moved(r) == moved {
			seen = true
		} else if seen && r.Write() && path.Base(r.Path) == release.MainName(application) {
			seen = false
			return testcluster.Fault{}.BeforeReply(do) // whoever wrote it goes on when that is done
		}
		return testcluster.Fault{}
	})
}

// forEver is a bake whose end nobody waits for: a test that did would hang.
const forEver = 24 * time.Hour

// What breaks while the last wave bakes takes everything back.
func TestGroupBakes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		scope  release.FailureScope
		moves  []string
		status string
		stands map[string]string
	}{
		{release.ScopeGroup, []string{"api v2", "web v2", "web v1", "api v1"}, "api=rolled_back web=rolled_back", map[string]string{"api": "v1", "web": "v1"}},
		{release.ScopeMember, []string{"api v2", "web v2", "web v1"}, "api=finalized web=rolled_back", map[string]string{"api": "v2", "web": "v1"}},
	} {
		t.Run(string(test.scope), func(t *testing.T) {
			t.Parallel()
			s := open(t, "api", "web")
			s.written("web v2", func() { s.setReady(s.name("web", "v2"), corev1.ConditionFalse) })
			done, err := s.once().promote(t.Context(), s.request("v2", scope(test.scope), bake(forEver)))
			s.proxy.SetFault(nil)
			tells(t, err, "web: Deployment", "0 of its 1 pods were ready")
			wantStatus(t, done, release.MainRolledBack, test.status)
			wantMoves(t, s.moves(), test.moves...)
			s.stands(test.stands)
		})
	}
}

// A Ctrl-C goes back, and is called a cancel where every member had begun.
func TestGroupIsInterrupted(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		during, status string
		first          time.Duration // the bake of the first wave
		group          release.MainStatus
		moves          []string
		says           string
	}{
		{"api v2", "api=rolled_back web=waiting_for_instances", forEver, release.MainRolledBack, []string{"api v2", "api v1"}, "web is waiting_for_instances"},
		{"web v2", "api=cancelled web=cancelled", 300 * time.Millisecond, release.MainCancelled, []string{"api v2", "web v2", "web v1", "api v1"}, "interrupted"},
	} {
		t.Run(test.during, func(t *testing.T) {
			t.Parallel()
			s := open(t, "api", "web")
			check := s.watch()
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			s.during(test.during, interrupt)
			done, err := s.once().promote(ctx, s.request("v2", scope(release.ScopeMember), func(a *asked) {
				a.waves[0].Bake, a.waves[1].Bake = test.first, forEver
			}))
			s.proxy.SetFault(nil)
			tells(t, err, test.says)
			if !errors.Is(err, context.Canceled) || len(failureOf(t, err).Failed) > 0 {
				t.Errorf("%v", err)
			}
			wantStatus(t, done, test.group, test.status)
			wantMoves(t, s.moves(), test.moves...)
			s.stands(s.all("v1"))
			check()
		})
	}
}

// A group's create goes back as a whole, whatever the scope: what it has made is
// gone, and what it had taken over is its former holder's again.
func TestGroupCreateGoesBackAsAWhole(t *testing.T) {
	t.Parallel()
	s := newShop(t, "api", "web")
	p := s.process()
	p.deploy("api", "v1")
	p.deploy("web", "v1")
	main, err := p.rollout.Promote(t.Context(), rollout.PromoteRequest{Service: s.service("api"), To: s.name("api", "v1"), Keep: release.Keep{Count: 1}, Drain: drain, Clusters: p.on})
	if err != nil {
		t.Fatal(err)
	}
	s.refuse("web v1")
	done, err := s.once().promote(t.Context(), s.request("v1", scope(release.ScopeMember)))
	tells(t, err, "not today")
	wantStatus(t, done, release.MainRolledBack, "api=finalized web=rolled_back")
	s.proxy.SetFault(nil)
	if _, err := s.cluster.Client().CoreV1().Services(s.namespace).Get(t.Context(), "web", metav1.GetOptions{}); err == nil {
		t.Error("web has an address")
	}
	if _, err := s.process().rollout.Promote(t.Context(), rollout.PromoteRequest{
		Service: s.service("api"), To: s.name("api", "v1"), Owner: main.Owner, Keep: release.Keep{Count: 2}, Drain: drain, Clusters: p.on,
	}); err != nil {
		t.Errorf("the former main deployment lost its address: %v", err)
	}
	done, err = s.once().promote(t.Context(), s.request("v1"))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(done.Notices, func(n rollout.Notice) bool { return strings.Contains(n.Summary, "taken over") }) {
		t.Errorf("nothing tells that an address was taken over: %v", done.Notices)
	}
	s.stands(s.all("v1"))
}

// A bake that cannot be watched to its end says nothing against what has moved:
// it stays, open, and the next run goes on.
func TestGroupStaysWhereItCannotBeWatched(t *testing.T) {
	t.Parallel()
	s := open(t, "api", "web")
	check := s.watch()
	ctx, over := testcluster.Deadline(t, errors.New("it took too long"))
	p := s.process()
	request := p.group(s.request("v2", func(a *asked) { a.waves[0].Bake = forEver }))
	api := request.Members["api"]
	api.Progress = func(line string) {
		if strings.HasPrefix(line, "watching ") {
			over()
		}
	}
	request.Members["api"] = api
	done, err := p.engine.Promote(ctx, request)
	tells(t, err, "api: ", "it took too long")
	wantStatus(t, done, release.MainRunning, "api=finalizing web=waiting_for_instances")
	if failed := failureOf(t, err).Failed; len(failed) != 1 || !done.Members["api"].Moved || done.Members["web"].Moved {
		t.Errorf("%v, %+v", failed, done.Members)
	}
	wantMoves(t, s.moves(), "api v2")
	if _, err := s.once().promote(t.Context(), s.request("v2")); err != nil {
		t.Fatal(err)
	}
	s.stands(s.all("v2"))
	check()
}

// Who was ready at first may not be when its turn comes: then it does not get the
// traffic for a moment either.
func TestGroupLooksOnceMore(t *testing.T) {
	t.Parallel()
	s := open(t, "api", "web")
	check := s.watch()
	s.written("api v2", func() { s.unready(s.name("web", "v2")) })
	soon := timing()
	soon.Settle = 15 * time.Second // what is not ready then stays so
	p := s.processWith(soon)
	done, err := p.promote(t.Context(), s.request("v2", func(a *asked) { a.waves[0].Bake = 300 * time.Millisecond }))
	s.proxy.SetFault(nil)
	tells(t, err, "web: the deployment", "0 of its 1 pods are ready")
	wantStatus(t, done, release.MainFailed, "api=rolled_back web=failed")
	wantMoves(t, s.moves(), "api v2", "api v1")
	s.stands(s.all("v1"))
	check()
}
