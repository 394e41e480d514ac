package faults_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// pair are two Terraform workspaces of one application on two clusters, "east"
// and "west": the second has a copy of the first one's state, as two runs have
// of a backend that does not lock.
type pair struct {
	t             *testing.T
	first, second *workspace
	mains         []*testcluster.MainWatch
}

func onTwoClusters(t *testing.T, west *testcluster.Cluster) *pair {
	t.Helper()
	p := &pair{t: t, first: newWorkspace(t)}
	w := p.first
	namespaces := west.Client().CoreV1().Namespaces()
	if _, err := namespaces.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the default service account", func() error {
		_, err := west.Client().CoreV1().ServiceAccounts(w.namespace).Get(t.Context(), "default", metav1.GetOptions{})
		return err
	})
	w.west = west.Proxy(t)
	p.mains = []*testcluster.MainWatch{w.cluster.WatchMain(t, w.namespace, application), west.WatchMain(t, w.namespace, application)}
	w.apply(config{version: "v1", keep: 1})

	p.second = newWorkspaceIn(t, w.cluster, w.namespace)
	p.second.west = west.Proxy(t)
	p.second.file("terraform.tfstate", w.StateText(t))
	return p
}

// onBoth puts the workspace's resources on both clusters.
func (w *workspace) onBoth(text string) string {
	return strings.NewReplacer(
		fmt.Sprintf("  config_path = %q\n", w.proxy.KubeconfigPath),
		fmt.Sprintf("  clusters = {\n    east = { config_path = %q }\n    west = { config_path = %q }\n  }\n", w.proxy.KubeconfigPath, w.west.KubeconfigPath),
		"\n  application", "\n  clusters = [\"east\", \"west\"]\n  application",
	).Replace(text)
}

// pointerWrite is a write that moves traffic, or says so.
type pointerWrite struct {
	by   *workspace
	what string
	at   time.Time
}

// pointerWrites are those of both workspaces on both clusters in their order. The
// history has no Lease, and is not among them.
func (p *pair) pointerWrites() []pointerWrite {
	p.t.Helper()
	var all []pointerWrite
	for where, wires := range map[string]map[*workspace]*testcluster.Proxy{
		"east": {p.first: p.first.proxy, p.second: p.second.proxy},
		"west": {p.first: p.first.west, p.second: p.second.west},
	} {
		var here []pointerWrite
		pointers := map[time.Time]string{}
		for by, wire := range wires {
			for _, r := range wire.Writes() {
				pointer, isMap := pointerIn(p.t, &r)
				if r.Status/100 != 2 || !isMap && !strings.HasSuffix(r.Path, "/services/"+application) {
					continue
				}
				here = append(here, pointerWrite{by, where + " " + r.String(), r.Time})
				if isMap {
					pointers[r.Time] = pointer
				}
			}
		}
		slices.SortFunc(here, func(a, b pointerWrite) int { return a.at.Compare(b.at) })
		last := ""
		for _, w := range here {
			if pointer, isMap := pointers[w.at]; isMap && pointer == last {
				continue // only the history
			} else if isMap {
				last = pointer
			}
			all = append(all, w)
		}
	}
	slices.SortFunc(all, func(a, b pointerWrite) int { return a.at.Compare(b.at) })
	return all
}

// pointerIn is what a write of the application's ConfigMap says of its address.
func pointerIn(t *testing.T, r *testcluster.Request) (pointer string, isMap bool) {
	t.Helper()
	if r.Method != http.MethodPatch || !strings.HasSuffix(r.Path, "/configmaps/"+application+"-switchback") {
		return "", false
	}
	var patch []struct {
		Path  string
		Value any
	}
	if err := json.Unmarshal(r.Body, &patch); err != nil {
		t.Fatalf("%s: %v", r, err)
	}
	for _, op := range patch {
		if data, ok := op.Value.(map[string]any); ok && op.Path == "/data" {
			pointer, _ = data["main.json"].(string)
		}
	}
	return pointer, true
}

// agree fails the test unless both clusters' traffic goes to one release, and did
// so at all times to ready pods.
func (p *pair) agree(name string) {
	p.t.Helper()
	for where, wire := range map[string]*testcluster.Cluster{"east": p.first.cluster, "west": p.first.west.Cluster()} {
		svc, err := wire.Client().CoreV1().Services(p.first.namespace).Get(p.t.Context(), application, metav1.GetOptions{})
		if err != nil || svc.Spec.Selector["switchback.dev/deployment"] != name {
			p.t.Errorf("%s: the main Service selects %v, want %s (%v)", where, svc.Spec.Selector, name, err)
		}
	}
	for _, main := range p.mains {
		main.Check(p.t, drain)
	}
}

// The second cluster is expensive: all tests of two clusters share it.
func TestTwoWorkspacesOnTwoClusters(t *testing.T) {
	t.Parallel()
	west := testcluster.Clusters(t, 2)[1]
	t.Run("take turns", func(t *testing.T) { t.Parallel(); takeTurns(t, onTwoClusters(t, west)) })
	for name, goOn := range map[string]func(p *pair){
		"the other one promotes": func(p *pair) {
			p.second.apply(config{version: "v3", keep: 1})
			p.agree(p.second.name())
			p.second.planIsEmpty()
		},
		"its own goes on": func(p *pair) {
			p.first.apply(config{version: "v2", keep: 1})
			p.agree(p.first.name())
			p.first.planIsEmpty()
		},
		"its own goes back": func(p *pair) {
			p.first.apply(config{version: "v1", keep: 1})
			p.agree(p.first.name())
			p.first.planIsEmpty()
		},
	} {
		t.Run("one dies between the clusters, and "+name, func(t *testing.T) {
			t.Parallel()
			diesBetween(t, onTwoClusters(t, west), goOn)
		})
	}
}

// takeTurns holds one promotion while its first cluster is switched: the other
// one's must not have begun by then.
func takeTurns(t *testing.T, p *pair) {
	for _, w := range []*workspace{p.first, p.second} {
		w.proxy.Reset()
		w.west.Reset()
	}
	release := make(chan struct{})
	switching := p.first.when(http.MethodPatch, mainService, testcluster.Fault{}.BeforeReply(func() { <-release }))
	first := p.first.startApply(config{version: "v2", keep: 1})
	first.reach("the switch", switching)
	second := p.second.startApply(config{version: "v3", keep: 1})
	eventually(t, "the second one to wait for a Lease", func() error {
		looks := 0
		for _, r := range slices.Concat(p.second.proxy.Requests(), p.second.west.Requests()) {
			if r.Method == http.MethodGet && strings.Contains(r.Path, "/leases/") {
				looks++
			}
		}
		if looks < 2 {
			return fmt.Errorf("it has looked %d times\n%s", looks, second.text())
		}
		return nil
	})
	close(release)
	for name, x := range map[string]*execution{"first": first, "second": second} {
		if x.wait() != 0 {
			t.Errorf("the %s run:\n%s", name, x.text())
		}
	}
	turns, text := 0, ""
	var last *workspace
	for _, w := range p.pointerWrites() {
		if w.by != last {
			turns++
		}
		last = w.by
		text += fmt.Sprintf("%s %t %s\n", w.at.Format("15:04:05.000"), w.by == p.first, w.what)
	}
	if turns != 2 {
		t.Errorf("they took %d turns:\n%s", turns, text)
	}
	p.agree(p.second.name())
	p.second.planIsEmpty()
}

// diesBetween kills a run when one of two clusters has its traffic on the new
// release. Whoever comes next takes its Leases over, and brings both to one.
func diesBetween(t *testing.T, p *pair, goOn func(*pair)) {
	p.first.hasty()
	p.second.hasty()
	v1 := p.first.name()
	switched, started := make(chan struct{}), make(chan *execution, 1)
	var once sync.Once
	kill := func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Method != http.MethodPatch || !strings.HasSuffix(r.Path, "/services/"+application) {
			return testcluster.Fault{}
		}
		f := testcluster.ConnectionReset() // the other one, which goes out at the same time, comes too late
		once.Do(func() {
			f = testcluster.LostReply().BeforeReply(func() {
				if err := (<-started).killAll(); err != nil {
					t.Error(err)
				}
				close(switched)
			})
		})
		return f
	}
	p.first.proxy.SetFault(kill) // whichever comes first
	p.first.west.SetFault(kill)
	x := p.first.startApply(config{version: "v2", keep: 1})
	started <- x
	x.reach("the switch", switched)
	x.wait()
	p.first.proxy.SetFault(nil)
	p.first.west.SetFault(nil)
	points := map[string]bool{}
	for _, c := range []*testcluster.Cluster{p.first.cluster, p.first.west.Cluster()} {
		svc, err := c.Client().CoreV1().Services(p.first.namespace).Get(t.Context(), application, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		points[svc.Spec.Selector["switchback.dev/deployment"]] = true
		cm, err := c.Client().CoreV1().ConfigMaps(p.first.namespace).Get(t.Context(), application+"-switchback", metav1.GetOptions{})
		if err != nil || !strings.Contains(cm.Data[release.ProgressKey], `"from":"`+v1) {
			t.Errorf("nothing is left open: %v %v", cm.Data, err)
		}
	}
	if len(points) != 2 {
		t.Fatalf("the traffic is on %v", points)
	}
	goOn(p)
}
