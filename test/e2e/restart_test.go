//go:build e2e

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

// outage is how long the API server is away: longer than any single retry.
const outage = 6 * time.Second

// TestPartsOfTheNodeGoAndComeBack takes parts of a node away while a version is
// released under load, and brings them back.
func TestPartsOfTheNodeGoAndComeBack(t *testing.T) {
	beside(t, ownOne)
	c := testnode.Start(t, testnode.Options{})
	t.Run("kube-proxy", func(t *testing.T) { kubeProxyIsAway(t, c) })
	t.Run("node", func(t *testing.T) { nodeReboots(t, c) })
}

// workspaceOn is a workspace with a namespace of its own on a cluster that is
// not the shared one. The namespace goes with the cluster.
func workspaceOn(t *testing.T, c *testnode.Cluster, namespace string) *workspace {
	t.Helper()
	_, err := c.Client().CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return newWorkspaceOn(t, c, namespace)
}

// lightLoad is little, for tests that are about something else.
func lightLoad(t *testing.T, url string) *load {
	l := newLoad(t, url)
	l.offer(100, 50, newSingle)
	l.offer(100, 10, newKeepAlive("opened first"))
	return l
}

// kubeProxyIsAway switches while nobody tells the kernel. The old rules stay,
// and the old release is retained: the old version answers until kube-proxy is
// back. (With keep_previous = { count = 0 }, the old pods would be gone: no
// client of the API can see that kube-proxy is dead.)
func kubeProxyIsAway(t *testing.T, c *testnode.Cluster) {
	w := workspaceOn(t, c, "kube-proxy")
	v1, v2 := config{version: "v1", keep: 1}, config{version: "v2", keep: 1}
	w.mustApply(v1)
	url := w.address(v1)
	getEventually(t, url)
	l := lightLoad(t, url)
	if err := c.Kill(t.Context(), "kube-proxy"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	w.mustApply(v2)
	pause(t, time.Second)
	revived := time.Now()
	if err := c.Revive(t.Context(), "kube-proxy"); err != nil {
		t.Fatal(err)
	}
	w.untilAnsweredBy(url, "v2")
	back := time.Now()
	pause(t, time.Second)
	answers := l.end()
	l.mustNotFail(t, answers)
	t.Logf("without kube-proxy: %s", sum(between(answers, began, revived)))
	t.Logf("v2 answers %s after kube-proxy was started again; since then: %s", ms(revived, back), sum(between(answers, back, time.Now())))
	if answered(between(answers, began, revived), fresh, "v2") {
		t.Error("v2 answered without kube-proxy: it was not away")
	}
	for _, a := range answers {
		if a.kind == fresh && a.version == "v1" && a.began.After(back) {
			t.Errorf("v1 answers on a connection that was opened %s after kube-proxy had switched", ms(back, a.began))
		}
	}
	w.planIsEmpty(v2)
}

// TestAPIServerGoesAndComesBack takes the API server away in the middle of an apply, in three
// ways: what is frozen takes connections and never answers; what is cut off
// resets connections and refuses others; what is restarted is killed, with its
// storage and controllers, and comes back with empty caches and no watches.
// Releases go on when it is back, and the traffic never notices.
//
// What the log shows after a restart: the provider goes on at once, and then
// waits for the node. The kubelet's own watches ask again after up to a minute
// (client-go's reflector: 0.8 s, doubled up to 30 s, and as much again by
// jitter; an outage less than two minutes ago counts on).
func TestAPIServerGoesAndComesBack(t *testing.T) {
	beside(t, ownOne)
	c := testnode.Start(t, testnode.Options{})
	w := workspaceOn(t, c, "api-server")
	w.useAccount(t)
	versions := config{version: "v1", keep: 1, drain: "1s"}
	w.mustApply(versions)
	url := w.address(versions)
	getEventually(t, url)
	for i, tc := range []struct {
		name string
		when func(w *workspace, ctx context.Context) error
		away func(t *testing.T, c *testnode.Cluster) (back func() error)
	}{
		{"frozen when the workload is made", (*workspace).workloadIsMade, freeze},
		{"cut off when the workload is made", (*workspace).workloadIsMade, cutOff},
		{"restarted when the workload is made", (*workspace).workloadIsMade, restart},
		{"frozen when the Service has moved", (*workspace).serviceHasMoved, freeze},
		{"cut off when the Service has moved", (*workspace).serviceHasMoved, cutOff},
		{"restarted when the Service has moved", (*workspace).serviceHasMoved, restart},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.t = t // its end is the command's
			next := versions
			next.version = []string{"v2", "v3", "v1"}[i%3]
			next.deployment = fmt.Sprintf("triggers = { round = %q }", fmt.Sprint(i)) // never adopted: all of it is made
			l := lightLoad(t, url)
			ctx, cancel := context.WithTimeout(t.Context(), commandTimeout)
			defer cancel()
			happened := make(chan error, 1)
			go func() { happened <- tc.when(w, ctx) }()
			x := w.startApply(next)
			if err := <-happened; err != nil {
				t.Fatal(err)
			}
			back := tc.away(t, c)
			gone := time.Now()
			testcluster.Eventually(t, outage/3, "the API server to be away", func() error {
				if reach(t, c) == nil {
					return errors.New("it still answers")
				}
				return nil
			})
			pause(t, outage-ms(gone, time.Now()))
			select {
			case <-x.Exited():
				t.Errorf("the apply ended without the API server: %v", x.Wait())
			default:
			}
			if err := back(); err != nil {
				t.Fatal(err)
			}
			returned := time.Now()
			if _, err := x.wait(); err != nil {
				t.Fatal(err)
			}
			t.Logf("the API server was away for %s; the apply ended %s after it was back: %s", ms(gone, returned), ms(returned, time.Now()),
				w.story(t, gone, returned))
			w.untilAnsweredBy(url, next.version)
			answers := l.end()
			l.mustNotFail(t, answers)
			w.planIsEmpty(next)
			if got := w.mainIs(next); got != w.release() {
				t.Errorf("the main Service selects %s, and the state has %s", got, w.release())
			}
		})
	}
	t.Run("restarted in mid-shift", func(t *testing.T) { sharesOutliveTheAPIServer(t, c) })
}

// sharesOutliveTheAPIServer restarts the API server while the new version has a tenth of
// the traffic, and the gateway can be told nothing. Requests go on by the weights that it
// knows, and the apply goes on to the end when the API server is back.
func sharesOutliveTheAPIServer(t *testing.T, c *testnode.Cluster) {
	g, err := c.Gateway(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	w := workspaceOn(t, c, "shares")
	w.useAccount(t)
	of := newCanaryIn(t, w, "web", "HTTPRoute", `{ weight = 10, pause = "3s" }, { weight = 50, pause = "3s" }`, g)
	of.load.untilAnswered("v1", newSingle)
	of.load.offer(200, 50, newSingle)
	of.load.offer(200, 10, newKeepAlive("kept"))
	x := of.startApply(of.v2)
	of.until(10)
	gone := time.Now()
	back := restart(t, c)
	pause(t, outage)
	select {
	case <-x.Exited():
		t.Errorf("the apply ended without the API server: %v", x.Wait())
	default:
	}
	if err := back(); err != nil {
		t.Fatal(err)
	}
	returned := time.Now()
	if _, err := x.wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("the API server was away for %s with a share of 10 %%; the apply ended %s after it was back", ms(gone, returned), ms(returned, time.Now()))
	pause(t, watched)
	answers := of.load.end()
	marks := append(of.marks(), mark{gone, "no API server"}, mark{returned, "back"})
	of.load.draw(t, "canary-api-server", "the API server is away when v2 has 10 %: answers a second", answers, marks)
	of.load.mustNotFail(t, answers)
	of.mustSplit(answers)
	of.wantShares(10, 50, 100)
	of.planIsEmpty(of.v2)
	of.close()
}

// useAccount makes the provider work as one who may do everything in its
// namespace. An API server that starts believes administrators before others.
func (w *workspace) useAccount(t *testing.T) {
	t.Helper()
	const name = "releases"
	meta := metav1.ObjectMeta{Name: name}
	ctx, client := t.Context(), w.cluster.Client()
	_, err := client.CoreV1().ServiceAccounts(w.namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"*"}
	_, err = client.RbacV1().Roles(w.namespace).Create(ctx, &rbacv1.Role{
		ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{APIGroups: all, Resources: all, Verbs: all}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.RbacV1().RoleBindings(w.namespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: name, Namespace: w.namespace}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	token, err := client.CoreV1().ServiceAccounts(w.namespace).CreateToken(ctx, name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	admin := testcluster.Cluster{KubeconfigPath: w.kubeconfig}
	w.kubeconfig = admin.Kubeconfig(t, testcluster.WithToken(token.Status.Token))
}

// story is what the provider and the kubelet told in Events since a moment, by
// the time before or after another.
func (w *workspace) story(t *testing.T, since, zero time.Time) string {
	t.Helper()
	found, err := w.cluster.Client().EventsV1().Events(w.namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	type told struct {
		at   time.Time
		what string
	}
	var all []told
	for _, e := range found.Items {
		at := e.EventTime.Time
		if at.IsZero() {
			at = e.DeprecatedLastTimestamp.Time // whole seconds
		}
		if at.After(since) && (e.ReportingController == "kubelet" || strings.HasPrefix(e.ReportingController, "switchback")) {
			all = append(all, told{at, fmt.Sprintf("%s %s %+.1fs", e.ReportingController, e.Reason, at.Sub(zero).Seconds())})
		}
	}
	slices.SortFunc(all, func(a, b told) int { return a.at.Compare(b.at) })
	var lines []string
	for _, one := range all {
		if !slices.Contains(lines, one.what) {
			lines = append(lines, one.what)
		}
	}
	return strings.Join(lines, ", ")
}

// workloadIsMade waits for the next workload.
func (w *workspace) workloadIsMade(ctx context.Context) error {
	deployments := w.cluster.Client().AppsV1().Deployments(w.namespace)
	there, err := deployments.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	events, err := deployments.Watch(ctx, metav1.ListOptions{ResourceVersion: there.ResourceVersion})
	if err != nil {
		return err
	}
	defer events.Stop()
	for event := range events.ResultChan() {
		if event.Type == watch.Added {
			return nil
		}
	}
	return errors.New("no workload was made")
}

// serviceHasMoved waits for the next write to the main Service.
func (w *workspace) serviceHasMoved(ctx context.Context) error {
	services := w.cluster.Client().CoreV1().Services(w.namespace)
	there, err := services.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	events, err := services.Watch(ctx, metav1.ListOptions{ResourceVersion: there.ResourceVersion, FieldSelector: "metadata.name=" + config{}.name()})
	if err != nil {
		return err
	}
	defer events.Stop()
	for event := range events.ResultChan() {
		if event.Type == watch.Modified {
			return nil
		}
	}
	return errors.New("the Service was not moved")
}

// reach asks the API server for a little.
func reach(t *testing.T, c *testnode.Cluster) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), outage/3)
	defer cancel()
	_, err := c.Client().CoreV1().Namespaces().Get(ctx, metav1.NamespaceDefault, metav1.GetOptions{})
	return err
}

// inside runs a command inside the node.
func inside(t *testing.T, c *testnode.Cluster, name string, args ...string) string {
	t.Helper()
	output, err := c.Enter(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, output)
	}
	return strings.TrimSpace(string(output))
}

// freeze stops the control plane where it is: nobody is answered.
func freeze(t *testing.T, c *testnode.Cluster) (back func() error) {
	t.Helper()
	pid := inside(t, c, "pgrep", "-x", "devcluster")
	inside(t, c, "kill", "-STOP", pid)
	resume := func() error {
		return c.Enter(context.Background(), "kill", "-CONT", pid).Run()
	}
	t.Cleanup(func() { _ = resume() })
	return resume
}

// cutOff resets every connection to the API server from outside of the node,
// and refuses new ones.
func cutOff(t *testing.T, c *testnode.Cluster) (back func() error) {
	t.Helper()
	inside(t, c, "nft", `table inet outage {
  chain input {
    type filter hook input priority -10;
    iifname "eth0" tcp dport 6443 reject with tcp reset
  }
}`)
	connect := func() error {
		return c.Enter(context.Background(), "nft", "delete", "table", "inet", "outage").Run()
	}
	t.Cleanup(func() { _ = connect() })
	return connect
}

// restart kills the control plane.
func restart(t *testing.T, c *testnode.Cluster) (back func() error) {
	t.Helper()
	if err := c.Kill(t.Context(), testnode.ControlPlane); err != nil {
		t.Fatal(err)
	}
	revive := func() error { return c.Revive(context.Background(), testnode.ControlPlane) }
	t.Cleanup(func() { _ = revive() }) // refused where it runs
	return revive
}

// nodeReboots ends everything that runs on the node, at rest and in the middle
// of an apply. The main deployment comes back by itself, and nothing is left to
// do for Terraform.
func nodeReboots(t *testing.T, c *testnode.Cluster) {
	w := workspaceOn(t, c, "reboot")
	v1, v2 := config{version: "v1", keep: 1, drain: "1s"}, config{version: "v2", keep: 1, drain: "1s"}
	w.mustApply(v1)
	url := w.address(v1)
	getEventually(t, url)

	start := time.Now()
	if err := c.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := get(t.Context(), url); err == nil {
		t.Error("it answers right after the reboot: it was none")
	}
	w.comesBack(t, url, "v1")
	t.Logf("v1 answers again %s after the reboot began", ms(start, time.Now()))
	w.mustBeReady(t, w.release())
	w.planIsEmpty(v1)

	ctx, cancel := context.WithTimeout(t.Context(), commandTimeout)
	defer cancel()
	made := make(chan error, 1)
	go func() { made <- w.workloadIsMade(ctx) }()
	x := w.startApply(v2)
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	start = time.Now()
	if err := c.Reboot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := x.wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("an apply that a reboot interrupts ends %s after it began", ms(start, time.Now()))
	w.comesBack(t, url, "v2")
	w.mustBeReady(t, w.release())
	w.planIsEmpty(v2)
	if _, err := w.destroy(); err != nil {
		t.Error(err)
	}
}

// comesBack waits until a version answers after a reboot.
func (w *workspace) comesBack(t *testing.T, url, version string) {
	t.Helper()
	testcluster.Eventually(t, testcluster.Hang, version+" to come back", func() error {
		_, header, err := get(t.Context(), url)
		if got := header.Get("X-Version"); err == nil && got != version {
			err = fmt.Errorf("it is %s", got)
		}
		return err
	})
}

// mustBeReady waits until the workload of a release has all its pods ready.
func (w *workspace) mustBeReady(t *testing.T, release string) {
	t.Helper()
	testcluster.Eventually(t, testcluster.Hang, release+" to be ready", func() error {
		d, err := w.cluster.Client().AppsV1().Deployments(w.namespace).Get(t.Context(), release, metav1.GetOptions{})
		if err == nil && (d.Status.ObservedGeneration != d.Generation || d.Status.ReadyReplicas != *d.Spec.Replicas) {
			err = fmt.Errorf("%d of %d pods are ready", d.Status.ReadyReplicas, *d.Spec.Replicas)
		}
		return err
	})
}
