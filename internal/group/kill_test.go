package group_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// counts says that a write is part of what must survive a kill.
func counts(r *testcluster.Request) bool {
	return r.Write() && !strings.HasSuffix(r.Path, "/events") && !strings.Contains(r.Path, "reviews")
}

// TestGroupKilledAfterEveryWrite kills a process when a write is done that it
// does not know of. Another one then goes on to the same releases, back to the
// old ones, or fails to go on and takes back what the first had moved; it ends
// with all addresses on one side.
func TestGroupKilledAfterEveryWrite(t *testing.T) {
	t.Parallel()
	ways := []testcluster.Cut{
		{Name: "forward", Writes: 14}, {Name: "back", Writes: 14}, {Name: "fails", Writes: 14},
		{Name: "forward from a way back", Writes: 6}, {Name: "back from a way back", Writes: 6},
	}
	testcluster.EveryDeathInLives(t, 6, ways, begin, func(t *testing.T, s *killedShop, i, k int) bool {
		s.again(t)
		return s.killedAt(t, k, ways[i].Name)
	})
}

// killedShop is one in which one process after the other is killed.
type killedShop struct {
	*shop
	check func()
	begun map[string]string
	used  bool
}

func begin(t *testing.T) *killedShop {
	t.Helper()
	s := open(t, "api", "web")
	return &killedShop{shop: s, check: s.watch(), begun: s.scene()}
}

// again brings a shop back to what open has left, with what the pointers remember,
// and fails the test unless everything is as it was.
func (s *killedShop) again(t *testing.T) {
	t.Helper()
	above := s.t
	s.t = t
	t.Cleanup(func() { s.t = above })
	if !s.used {
		s.used = true
		return
	}
	if _, err := s.once().promote(t.Context(), s.request("v1")); err != nil {
		t.Fatal(err)
	}
	s.proxy.Reset()
	ctx, deployments, configMaps := t.Context(), s.cluster.Client().AppsV1().Deployments(s.namespace), s.cluster.Client().CoreV1().ConfigMaps(s.namespace)
	for _, application := range s.applications {
		pointer, err := configMaps.Get(ctx, release.MainName(application), metav1.GetOptions{})
		if err == nil {
			pointer.Data = map[string]string{}
			err = json.Unmarshal([]byte(s.begun["data of "+pointer.Name]), &pointer.Data)
		}
		if err == nil {
			_, err = configMaps.Update(ctx, pointer, metav1.UpdateOptions{})
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, version := range []string{"v1", "v2"} { // labels for kubectl come with the first move
			patch := fmt.Sprintf(`{"metadata":{"labels":{%q:null,%q:null}}}`, release.LabelCustody, release.LabelStatus)
			if _, err := deployments.Patch(ctx, s.name(application, version), types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff(s.begun, s.scene()); diff != "" {
		t.Fatalf("it is not as it was:\n%s", diff)
	}
}

// scene is everything of a shop but its pods.
func (s *shop) scene() map[string]string {
	s.t.Helper()
	client, ctx, options := s.cluster.Client(), s.t.Context(), metav1.ListOptions{LabelSelector: release.ManagedSelector}
	deployments, err1 := client.AppsV1().Deployments(s.namespace).List(ctx, options)
	services, err2 := client.CoreV1().Services(s.namespace).List(ctx, options)
	configMaps, err3 := client.CoreV1().ConfigMaps(s.namespace).List(ctx, options)
	leases, err4 := client.CoordinationV1().Leases(s.namespace).List(ctx, options)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		s.t.Fatal(err)
	}
	found := map[string]string{}
	put := func(what string, content any) {
		text, err := json.Marshal(content)
		if err != nil {
			s.t.Fatal(err)
		}
		found[what] = string(text)
	}
	for _, d := range deployments.Items {
		put("labels of Deployment "+d.Name, d.Labels)
		put("annotations of Deployment "+d.Name, d.Annotations)
		put("Deployment "+d.Name, d.Spec)
	}
	for _, svc := range services.Items {
		put("Service "+svc.Name, []any{svc.Labels, svc.Annotations, svc.Spec})
	}
	for _, cm := range configMaps.Items {
		put("data of "+cm.Name, cm.Data)
		put("ConfigMap "+cm.Name, []any{cm.Labels, cm.Annotations})
	}
	for _, lease := range leases.Items {
		put("Lease "+lease.Name, lease.Spec.HolderIdentity)
	}
	return found
}

func (s *killedShop) killedAt(t *testing.T, k int, next string) (hit bool) {
	t.Helper()
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	next, retreats := strings.CutSuffix(next, " from a way back")
	var refused atomic.Bool
	refused.Store(!retreats)
	death := s.proxy.DiesAfter(k, func(r *testcluster.Request) bool { return counts(r) && refused.Load() }, kill)
	s.proxy.SetFault(func(r *testcluster.Request, n int) testcluster.Fault {
		if _, dead := death.Last(); !dead && retreats && s.moved(r) == "web v2" {
			refused.Store(true)
			return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "not today")
		}
		return death.Fault(r, n)
	})
	_, died := s.once().promote(ctx, s.request("v2"))
	s.proxy.SetFault(nil)
	what, dead := death.Last()
	if died == nil && dead && !strings.Contains(what, "leases/") {
		t.Errorf("it does not know that it was killed after %s", what)
	}
	if !dead {
		to := "v2"
		if retreats {
			to = "v1"
		}
		if _, err := s.once().promote(t.Context(), s.request(to)); err != nil {
			t.Error(err)
		}
		s.stands(s.all(to))
		return false
	}
	t.Logf("killed after %s", what)
	to := "v2"
	passed := s.passed()
	switch next {
	case "back":
		to = "v1"
	case "fails":
		s.refuse("web v2")
		done, err := s.once().promote(t.Context(), s.request("v2"))
		s.proxy.SetFault(nil)
		switch at := s.at("web"); {
		case passed:
			to = "v2"
		case err == nil && at == "web v2": // nothing had to be moved any more
			to = "v2"
		case err == nil || at != "web v1":
			t.Fatalf("after %s, web is at %s and the next one ends with %s, %v", what, at, statuses(done), err)
		default:
			to = "v1"
		}
		for _, name := range s.applications {
			if at := s.at(name); at != name+" "+to {
				t.Errorf("after %s, and after the next one has failed (%v), %s is at %s", what, err, name, at)
			}
		}
	}
	_, err := s.once().promote(t.Context(), s.request(to))
	if retreats && to == "v2" && err != nil { // the first one only ends the way back
		s.stands(s.all("v1"))
		_, err = s.once().promote(t.Context(), s.request(to))
	}
	if err != nil {
		t.Fatalf("after %s, the next one: %v", what, err)
	}
	s.stands(s.all(to))
	for _, name := range s.applications {
		for _, version := range []string{"v1", "v2"} {
			if _, err := s.cluster.Client().AppsV1().Deployments(s.namespace).Get(t.Context(), s.name(name, version), metav1.GetOptions{}); err != nil {
				t.Errorf("%s %s: %v", name, version, err)
			}
		}
	}
	s.check()
	return true
}

// at is where an address leads.
func (s *shop) at(application string) string {
	s.t.Helper()
	p := s.process()
	defer p.end()
	to, _ := observe.Mains(s.t.Context(), p.on, s.namespace, application, application)[0].Split.Stable()
	return s.short(to)
}

// passed says that a killed process had begun to let go of an old side, or had
// done all of it.
func (s *shop) passed() bool {
	s.t.Helper()
	p := s.process()
	defer p.end()
	done := true
	for _, application := range s.applications {
		o := observe.Mains(s.t.Context(), p.on, s.namespace, application, application)[0]
		if cp := o.Main.Progress; cp != nil && !cp.Open() {
			return true
		}
		done = done && o.Main.Progress == nil && o.Main.Deployment == s.name(application, "v2")
	}
	return done
}

// TestGroupCreateKilledAfterEveryWrite kills a create, which leaves no state.
func TestGroupCreateKilledAfterEveryWrite(t *testing.T) {
	t.Parallel()
	testcluster.EveryDeath(t, 14, func(t *testing.T, k int) bool {
		s := newShop(t, "api", "web")
		p := s.process()
		p.deploy("api", "v1")
		p.deploy("web", "v1")
		p.end()
		s.proxy.Reset()
		ctx, kill := context.WithCancel(t.Context())
		defer kill()
		death := s.proxy.DiesAfter(k, counts, kill)
		s.proxy.SetFault(death.Fault)
		_, _ = s.once().promote(ctx, s.request("v1"))
		s.proxy.SetFault(nil)
		if _, hit := death.Last(); !hit {
			return false
		}
		if _, err := s.once().promote(t.Context(), s.request("v1")); err != nil {
			t.Fatal(err)
		}
		s.stands(s.all("v1"))
		return true
	})
}

// TestGroupSurvivesOneFaultAtEveryRequest: whatever fault passes, at whatever
// request, nobody may notice.
func TestGroupSurvivesOneFaultAtEveryRequest(t *testing.T) {
	t.Parallel()
	const apart = 9
	for name, faults := range map[string][]testcluster.Fault{
		"asked again": { // they take turns
			testcluster.Reject(http.StatusInternalServerError, metav1.StatusReasonInternalError, "etcdserver: leader changed"), testcluster.ConnectionReset(),
		},
		"lost reply": {testcluster.LostReply()}, "409": {testcluster.Conflict()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for k := range apart {
				t.Run(fmt.Sprintf("at %d", k), func(t *testing.T) {
					t.Parallel()
					s := open(t, "api", "web")
					check := s.watch()
					var mu sync.Mutex
					n, hits, again := 0, 0, map[string]bool{}
					s.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
						mu.Lock()
						defer mu.Unlock()
						what := r.Method + " " + r.Path
						if r.Watch() || !counts(r) && name == "409" || again[what] {
							delete(again, what)
							return testcluster.Fault{}
						}
						if n++; n%apart != k {
							return testcluster.Fault{}
						}
						hits++
						again[what] = true // what repeats it passes
						return faults[(k+hits)%len(faults)]
					})
					_, err := s.once().promote(t.Context(), s.request("v2"))
					s.proxy.SetFault(nil)
					mu.Lock()
					defer mu.Unlock()
					if err != nil || hits == 0 {
						t.Fatalf("%d faults: %v", hits, err)
					}
					s.stands(s.all("v2"))
					check()
				})
			}
		})
	}
}
