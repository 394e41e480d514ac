package group_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/group"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

func TestMain(m *testing.M) { os.Exit(testcluster.Run(m)) }

const drain = 300 * time.Millisecond

// wired makes a connection fit the engine's interface, as the provider does.
type wired struct{ *cluster.Cluster }

func (c wired) View(namespace string) rollout.View { return c.Cluster.View(namespace) }

func (c wired) Emit(ctx context.Context, regarding rollout.Object, reason release.EventReason, note string, warning bool) {
	kind := cluster.EventNormal
	if warning {
		kind = cluster.EventWarning
	}
	c.Cluster.Emit(ctx, regarding.GetNamespace(), regarding, string(reason), note, kind)
}

// shop is a namespace with some applications. Every change of it is made by a
// new process, as far as the engine can tell: a new engine on a new connection.
type shop struct {
	t            *testing.T
	cluster      *testcluster.Cluster
	proxy        *testcluster.Proxy
	namespace    string
	applications []string
	owner        string // the group's token, as a state has it
	routed       []string
	scaled       bool // autoscalers decide on the pods, of which there are four
}

func newShop(t *testing.T, applications ...string) *shop {
	t.Helper()
	return shopOn(t, testcluster.Shared(t), applications...)
}

func shopOn(t *testing.T, c *testcluster.Cluster, applications ...string) *shop {
	t.Helper()
	return &shop{t: t, cluster: c, proxy: c.Proxy(t), namespace: c.Namespace(t), applications: applications}
}

// open deploys v1 and v2 of every application, and lets a group make v1 main.
func open(t *testing.T, applications ...string) *shop {
	t.Helper()
	s := newShop(t, applications...)
	s.begin()
	return s
}

// begin deploys v1 and v2 of every application, and lets a group make v1 main.
func (s *shop) begin() {
	s.t.Helper()
	p := s.process()
	defer p.end()
	for _, version := range []string{"v1", "v2"} {
		for _, application := range s.applications {
			p.deploy(application, version)
		}
	}
	if _, err := p.promote(s.t.Context(), s.request("v1")); err != nil {
		s.t.Fatal(err)
	}
	s.proxy.Reset()
}

type process struct {
	*shop
	rollout *rollout.Engine
	engine  *group.Engine
	on      []rollout.Cluster
	end     func() // nothing is watched any more, as when a provider's process has ended
	ends    bool   // with its first promotion
}

// timing has no heartbeat within a test, and patience with a busy machine.
func timing() rollout.Timing {
	return rollout.Timing{
		Beat: time.Hour, Expiry: time.Second, Poll: 100 * time.Millisecond,
		Grace: 500 * time.Millisecond, Settle: 90 * time.Second, Cleanup: 30 * time.Second, Patience: time.Minute,
	}
}

func (s *shop) process() *process { return s.processWith(timing()) }

func (s *shop) processWith(timing rollout.Timing) *process {
	s.t.Helper()
	c, err := cluster.New(cluster.Config{Name: "prod", UserAgent: "terraform-provider-switchback/test", ConfigPath: s.proxy.KubeconfigPath})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	over := rollout.New(timing)
	return &process{shop: s, rollout: over, engine: group.New(over), on: []rollout.Cluster{wired{c}}, end: c.Close}
}

// once is a process that ends with its first promotion. One that is left alive is
// told of every write in the namespace until its test has ended.
func (s *shop) once() *process {
	s.t.Helper()
	p := s.process()
	p.ends = true
	return p
}

// done is called when a promotion has ended.
func (p *process) done() {
	if p.ends {
		p.end()
	}
}

func (s *shop) spec(application, version string) release.Spec {
	spec := release.Spec{Namespace: s.namespace, Replicas: 1, OnFailure: release.OnFailureStop, Content: release.Content{
		Application: application, Version: version, Image: "demo/" + application + ":" + version,
		Container: release.Container{Ports: map[string]int32{"http": 8080}},
	}}
	if s.scaled {
		spec.Replicas, spec.Autoscaling = 4, &release.Autoscaling{Min: 1, Max: 6, CPU: new(int32(50))}
	}
	return spec
}

func (s *shop) name(application, version string) string {
	return s.spec(application, version).Content.Name()
}

func (p *process) deploy(application, version string) {
	p.t.Helper()
	if _, err := p.rollout.Deploy(p.t.Context(), p.on, p.spec(application, version)); err != nil {
		p.t.Fatal(err)
	}
}

// asked is a group's request in a few words.
type asked struct {
	name     string
	versions map[string]string // by application, which is also the member's name
	waves    []release.WaveSpec
	after    map[string][]string
	scope    release.FailureScope
	keep     int
	claims   []string // members that are new to the group
	canary   release.Canary
	token    string // retry_token
}

// request asks for one version of all applications, one wave each.
func (s *shop) request(version string, change ...func(*asked)) asked {
	a := asked{name: "shop", versions: map[string]string{}, after: map[string][]string{}, scope: release.ScopeGroup, keep: 1}
	for _, application := range s.applications {
		a.versions[application] = version
		a.waves = append(a.waves, release.WaveSpec{Members: []string{application}})
	}
	for _, do := range change {
		do(&a)
	}
	return a
}

func scope(scope release.FailureScope) func(*asked) { return func(a *asked) { a.scope = scope } }

// again tries once more what was taken back.
func again(token string) func(*asked) { return func(a *asked) { a.token = token } }

// bake is for the last wave.
func bake(d time.Duration) func(*asked) {
	return func(a *asked) { a.waves[len(a.waves)-1].Bake = d }
}

func (s *shop) service(application string) traffic.ServiceSpec {
	return traffic.ServiceSpec{Namespace: s.namespace, Application: application, Name: application, Ports: map[string]int32{"http": 80}}
}

func (p *process) group(a asked) group.Request {
	p.t.Helper()
	req := group.Request{Name: a.name, Owner: p.owner, Scope: a.scope, Canary: a.canary, Members: map[string]rollout.PromoteRequest{}}
	after := map[string][]string{}
	for application, version := range a.versions {
		owner := p.owner
		if slices.Contains(a.claims, application) {
			owner = ""
		}
		req.Members[application] = rollout.PromoteRequest{
			Service: p.service(application), Route: p.route(application), To: p.name(application, version), Owner: owner, Keep: release.Keep{Count: a.keep}, Drain: drain, Clusters: p.on,
			RetryToken: a.token, Asked: &release.Asked{RetryToken: &a.token},
		}
		after[application] = a.after[application]
	}
	plan, faults := release.PlanGroup(after, a.waves)
	if len(faults) > 0 {
		p.t.Fatal(faults)
	}
	req.Plan = plan
	return req
}

// promote remembers the owner as a state does: a create that failed leaves none.
func (p *process) promote(ctx context.Context, a asked) (group.Result, error) {
	p.t.Helper()
	defer p.done()
	done, err := p.engine.Promote(ctx, p.group(a))
	if err == nil && done.Status != release.MainFinalized && done.Status != release.MainPaused {
		err = fmt.Errorf("the group ended as %s", done.Status)
	}
	if err == nil {
		p.owner = done.Owner
	}
	return done, err
}

// moves are the writes of addresses that the API server has taken, as "web v2".
func (s *shop) moves() []string {
	s.t.Helper()
	var moves []string
	for _, r := range s.proxy.Requests() {
		if moved := s.moved(&r); moved != "" && r.Status == http.StatusOK {
			moves = append(moves, moved)
		}
	}
	return moves
}

// moved is where a request wants an address to lead; empty for any other request.
func (s *shop) moved(r *testcluster.Request) string {
	application := path.Base(r.Path)
	if r.Method != http.MethodPatch || path.Base(path.Dir(r.Path)) != "services" || !slices.Contains(s.applications, application) {
		return ""
	}
	var svc corev1.Service
	if err := json.Unmarshal(r.Body, &svc); err != nil {
		s.t.Errorf("%s: %v", r.String(), err)
	}
	return s.short(svc.Spec.Selector[release.LabelDeployment])
}

// short is a release's name as "web v2".
func (s *shop) short(name string) string {
	for _, application := range s.applications {
		for _, version := range []string{"v1", "v2", "v3"} {
			if s.name(application, version) == name {
				return application + " " + version
			}
		}
	}
	return name
}

// refuse answers 403 to what moves an address there.
func (s *shop) refuse(moved string) {
	s.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if s.moved(r) == moved {
			return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "not today")
		}
		return testcluster.Fault{}
	})
}

// stands fails the test unless every address leads where it should, and nothing
// is unfinished.
func (s *shop) stands(want map[string]string) {
	s.t.Helper()
	p := s.process()
	defer p.end()
	for application, version := range want {
		o := observe.Mains(s.t.Context(), p.on, s.namespace, application, application)[0]
		name := s.name(application, version)
		if o.Err != nil || o.Main == nil || o.Main.Progress != nil || o.Main.Deployment != name || !maps.Equal(o.Split, release.Split{name: 100}) || len(o.Leftover) > 0 {
			s.t.Errorf("%s should be at %s and is %+v %+v", application, version, o, o.Main)
			continue
		}
		if o.Main.Owner != s.owner || o.Main.Group != "shop" || o.Main.Member != application {
			s.t.Errorf("%s is held by %q of the group %q as %q, want %q", application, o.Main.Owner, o.Main.Group, o.Main.Member, s.owner)
		}
		lease, err := s.cluster.Client().CoordinationV1().Leases(s.namespace).Get(s.t.Context(), release.MainName(application), metav1.GetOptions{})
		if err != nil || *lease.Spec.HolderIdentity != "" {
			s.t.Errorf("the Lease of %s is held: %+v, %v", application, lease, err)
		}
	}
}

func (s *shop) all(version string) map[string]string {
	want := map[string]string{}
	for _, application := range s.applications {
		want[application] = version
	}
	return want
}

// watch proves of every address that it is never empty, and of every pod that it
// was drained.
func (s *shop) watch() (check func()) {
	s.t.Helper()
	var watches []*testcluster.MainWatch
	for _, application := range s.applications {
		watches = append(watches, s.cluster.WatchMain(s.t, s.namespace, application))
	}
	return func() {
		s.t.Helper()
		for _, w := range watches {
			w.Check(s.t, drain)
		}
	}
}

// statuses of a result, as "api=finalized web=rolled_back".
func statuses(done group.Result) string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(done.Members)) {
		texts = append(texts, name+"="+string(done.Members[name].Status))
	}
	return strings.Join(texts, " ")
}

func wantStatus(t *testing.T, done group.Result, status release.MainStatus, members string) {
	t.Helper()
	if done.Status != status || statuses(done) != members {
		t.Errorf("the group is %s with %s, want %s with %s", done.Status, statuses(done), status, members)
	}
}

func wantMoves(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("the addresses moved as %q, want %q", got, want)
	}
}

// tells fails the test unless err is a group's that says all this.
func tells(t *testing.T, err error, texts ...string) {
	t.Helper()
	text := failureOf(t, err).Error()
	for _, want := range texts {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func failureOf(t *testing.T, err error) *group.Error {
	t.Helper()
	var failed *group.Error
	if !errors.As(err, &failed) {
		t.Fatalf("no group's error: %v", err)
	}
	return failed
}

// TestNothingIsWatchedAfterAPromotion: as when a provider's process has ended.
func TestNothingIsWatchedAfterAPromotion(t *testing.T) {
	t.Parallel()
	s := open(t, "api", "web")
	if _, err := s.once().promote(t.Context(), s.request("v2")); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(s.proxy.Requests(), func(r testcluster.Request) bool { return r.Watch() }) {
		t.Error("it watched nothing: this test tests nothing")
	}
	testcluster.Eventually(t, testcluster.Hang, "the watches to end", func() error {
		if n := s.proxy.OpenWatches(); n > 0 {
			return fmt.Errorf("%d are open", n)
		}
		return nil
	})
}
