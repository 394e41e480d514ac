package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// awaitView waits, as the engine does, until the view has (or has no) object.
func awaitView(t *testing.T, v *View, like Object, name string, present bool) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testcluster.Hang)
	defer cancel()
	start := time.Now()
	for {
		changed := v.Changes("").Changed()
		o, err := v.Get(ctx, like, name)
		if err != nil {
			t.Fatal(err)
		}
		if (o != nil) == present {
			return time.Since(start)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("%s: present=%t was not seen within %s", name, present, testcluster.Hang)
		}
	}
}

func (w wired) createDirect(t *testing.T, name string) {
	t.Helper()
	if _, err := w.direct.CoreV1().ConfigMaps(w.namespace).Create(t.Context(), configMap(w.namespace, name), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestViewIsSharedAndCheap(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	for i := range 20 {
		w.createDirect(t, fmt.Sprint("m", i))
	}
	stranger := configMap(w.namespace, "stranger")
	stranger.Labels = nil
	if _, err := w.direct.CoreV1().ConfigMaps(w.namespace).Create(t.Context(), stranger, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 60 {
		group.Go(func() {
			v := w.View(w.namespace)
			name := fmt.Sprint("m", i%20)
			o, err := v.Get(t.Context(), &corev1.ConfigMap{}, name)
			if err != nil || o == nil || o.GetName() != name {
				t.Errorf("%s: %v %v", name, o, err)
			}
			found, err := v.List(t.Context(), &corev1.ConfigMap{}, map[string]string{deploymentLabel: name, "app.kubernetes.io/managed-by": "switchback"})
			if err != nil || len(found) != 1 {
				t.Errorf("%s: %v %v", name, found, err)
			}
			for _, like := range []Object{&corev1.Service{}, &appsv1.Deployment{}} {
				if o, err := v.Get(t.Context(), like, name); err != nil || o != nil {
					t.Errorf("%T: %v %v", like, o, err)
				}
			}
		})
	}
	group.Wait()
	if o, err := w.View(w.namespace).Get(t.Context(), &corev1.ConfigMap{}, "stranger"); o != nil || err != nil {
		t.Errorf("a stranger's object: %v %v", o, err)
	}
	// One streaming request a kind lists and watches.
	if n := len(w.proxy.Requests()); n != 3 {
		t.Errorf("%d requests for 3 kinds:\n%s", n, strings.Join(lines(w.proxy.Requests()), "\n"))
	}
	for _, r := range w.proxy.Requests() {
		if !strings.Contains(r.Path, "/namespaces/"+w.namespace+"/") || r.Query.Get("labelSelector") != managedSelector {
			t.Errorf("not scoped: %s", r.String())
		}
	}
}

func TestViewFollows(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	v := w.View(w.namespace)
	like := &corev1.ConfigMap{}
	awaitView(t, v, like, "a", false)
	m := configMap(w.namespace, "a", "k", "1")
	if err := w.Create(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	awaitView(t, v, like, "a", true)

	// The index follows a changed label.
	changed := v.Changes("").Changed()
	m.Labels[deploymentLabel] = "b"
	if err := w.Update(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	<-changed
	for name, want := range map[string]int{"a": 0, "b": 1} {
		if found, err := v.List(t.Context(), like, map[string]string{deploymentLabel: name}); err != nil || len(found) != want {
			t.Errorf("deployment %s: %d objects, want %d (%v)", name, len(found), want, err)
		}
	}

	// Dropped watches resume, and what happened meanwhile is not missed. On a busy
	// machine that may take long, but not again and again.
	const most = 20
	for i, soonest := 0, maxDelay; i < 3 || soonest > maxDelay/2; i++ {
		if i == most {
			t.Fatalf("of %d, the first to be seen took %s", most, soonest)
		}
		w.proxy.DropWatches()
		name := fmt.Sprint("while-dropped-", i)
		w.createDirect(t, name)
		soonest = min(soonest, awaitView(t, v, like, name, true))
	}
	if err := w.Delete(t.Context(), m, metav1.DeletePropagationBackground); err != nil {
		t.Fatal(err)
	}
	awaitView(t, v, like, "a", false)
}

func TestViewRelistsOn410(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]testcluster.Fault{
		"refused": testcluster.Reject(http.StatusGone, metav1.StatusReasonExpired, "too old resource version"),
		"event":   testcluster.Expired(), // what a real API server says
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := wire(t, testcluster.Shared(t).Namespace(t))
			v := w.View(w.namespace)
			like := &corev1.ConfigMap{}
			w.createDirect(t, "old")
			awaitView(t, v, like, "old", true)
			w.proxy.SetFault(onFirst((*testcluster.Request).Watch, fault))
			w.proxy.Reset()
			w.proxy.DropWatches()
			if err := w.direct.CoreV1().ConfigMaps(w.namespace).Delete(t.Context(), "old", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			w.createDirect(t, "new")
			awaitView(t, v, like, "new", true)
			awaitView(t, v, like, "old", false)
			if found := w.proxy.Requests(); len(found) < 2 {
				t.Errorf("not listed again:\n%s", strings.Join(lines(found), "\n"))
			}
		})
	}
}

func TestViewSurvivesARestart(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	v := w.View(w.namespace)
	like := &corev1.ConfigMap{}
	awaitView(t, v, like, "x", false)
	w.proxy.Down(t)
	w.createDirect(t, "x")
	time.AfterFunc(1500*time.Millisecond, func() { w.proxy.Up(t) })
	awaitView(t, v, like, "x", true)
}

func TestViewFirstListUnderFaults(t *testing.T) {
	t.Parallel()
	namespace := testcluster.Shared(t).Namespace(t)
	for name, fault := range map[string]testcluster.Fault{
		"500": testcluster.Reject(500, metav1.StatusReasonInternalError, "once"), "503": testcluster.Unavailable(),
		"reset": testcluster.ConnectionReset(), "429": testcluster.TooManyRequests(time.Second), "lost": testcluster.LostReply(),
		// A server that does not know streaming lists.
		"422": testcluster.Reject(422, metav1.StatusReasonInvalid, "sendInitialEvents is forbidden"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := wire(t, namespace)
			w.createDirect(t, "m-"+name)
			w.proxy.SetFault(testcluster.OnRequest(1, fault))
			awaitView(t, w.View(namespace), &corev1.ConfigMap{}, "m-"+name, true)
		})
	}
}

func restricted(t *testing.T, namespace string, rules []rbacv1.PolicyRule) wired {
	t.Helper()
	c := testcluster.Shared(t)
	proxy := c.Proxy(t)
	kubeconfig := proxy.Through(t, c.RestrictedKubeconfig(t, namespace, rules))
	return wired{connect(t, Config{ConfigPath: kubeconfig}), proxy, c.Client(), namespace}
}

func TestViewListForbidden(t *testing.T) {
	t.Parallel()
	w := restricted(t, testcluster.Shared(t).Namespace(t), nil)
	for range 5 {
		if _, err := w.View(w.namespace).Get(t.Context(), &corev1.ConfigMap{}, "x"); !apierrors.IsForbidden(err) {
			t.Fatalf("want Forbidden, got %v", err)
		}
	}
	// /version, the streaming list, the plain list.
	if n := len(w.proxy.Requests()); n != 3 {
		t.Errorf("%d requests:\n%s", n, strings.Join(lines(w.proxy.Requests()), "\n"))
	}
}

func TestViewWatchForbidden(t *testing.T) {
	t.Parallel()
	w := restricted(t, testcluster.Shared(t).Namespace(t), []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get", "list", "create"}},
	})
	v := w.View(w.namespace)
	like := &corev1.ConfigMap{}
	awaitView(t, v, like, "x", false)
	w.createDirect(t, "x")
	awaitView(t, v, like, "x", true)
	w.createDirect(t, "y")
	awaitView(t, v, like, "y", true)
	// Nobody waits: nothing is asked.
	<-time.After(3 * time.Second) // lets polls happen that should not
	w.proxy.Reset()
	<-time.After(3 * time.Second)
	if n := len(w.proxy.Requests()); n != 0 {
		t.Errorf("%d requests while nobody waits: %v", n, lines(w.proxy.Requests()))
	}
	// A read after that is fresh.
	w.createDirect(t, "z")
	if o, err := v.Get(t.Context(), like, "z"); o == nil || err != nil {
		t.Errorf("stale: %v %v", o, err)
	}
}

func TestViewEndsWithItsCluster(t *testing.T) {
	t.Parallel()
	w := wire(t, "default")
	v := w.View("default")
	awaitView(t, v, &corev1.ConfigMap{}, "no-such", false)
	w.Close()
	testcluster.Eventually(t, testcluster.Hang, "the watch to end", func() error {
		if n := w.proxy.OpenWatches(); n > 0 {
			return fmt.Errorf("%d open", n)
		}
		return nil
	})
	if _, err := v.Get(t.Context(), &corev1.ConfigMap{}, "no-such"); err == nil {
		t.Error("a closed cluster's view still answers")
	}
}

// TestViewHasWhatWasWritten reads what this run has written while no watch can
// bring it.
func TestViewHasWhatWasWritten(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	v, like := w.View(w.namespace), &corev1.ConfigMap{}
	if o, err := v.Get(t.Context(), like, "m"); o != nil || err != nil {
		t.Fatalf("at first: %v, %v", o, err)
	}
	w.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Method == http.MethodGet && strings.HasSuffix(r.Path, "/configmaps") {
			return testcluster.Unavailable()
		}
		return testcluster.Fault{}
	})
	w.proxy.DropWatches()
	reads := func(value string) {
		t.Helper()
		o, err := v.Get(t.Context(), like, "m")
		if cm, ok := o.(*corev1.ConfigMap); err != nil || !ok || cm.Data["k"] != value {
			t.Fatalf("it reads %v, %v, want k=%s", o, err, value)
		}
	}
	cm := configMap(w.namespace, "m")
	cm.Data = map[string]string{"k": "1"}
	if err := w.Create(t.Context(), cm); err != nil {
		t.Fatal(err)
	}
	reads("1")
	cm.Data["k"] = "2"
	if err := w.Update(t.Context(), cm); err != nil {
		t.Fatal(err)
	}
	reads("2")
	cm.Data["k"] = "the caller's own"
	reads("2")
	if err := w.direct.CoreV1().ConfigMaps(w.namespace).Delete(t.Context(), "m", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.proxy.SetFault(nil)
	awaitView(t, v, like, "m", false)
}

// TestStoreIsNotSetBack gives a store the same news in every order.
func TestStoreIsNotSetBack(t *testing.T) {
	t.Parallel()
	version := func(rv string) *corev1.ConfigMap {
		cm := configMap("t", "m")
		cm.ResourceVersion, cm.UID = rv, "u"
		return cm
	}
	stored := func(k *kindView) string {
		if o := k.get("m"); o != nil {
			return o.GetResourceVersion()
		}
		return ""
	}
	for name, c := range map[string]struct {
		news func(k *kindView)
		want string
	}{
		"the watch comes later":           {func(k *kindView) { k.learn(version("7")); _ = k.Update(version("6")); _ = k.Update(version("7")) }, "7"},
		"the watch came first":            {func(k *kindView) { _ = k.Update(version("8")); k.learn(version("7")) }, "8"},
		"removed before we knew":          {func(k *kindView) { _ = k.Update(version("7")); _ = k.Delete(version("8")); k.learn(version("7")) }, ""},
		"removed later":                   {func(k *kindView) { k.learn(version("7")); _ = k.Delete(version("8")) }, ""},
		"made anew before it was removed": {func(k *kindView) { k.learn(version("9")); _ = k.Delete(version("8")) }, "9"},
		"an older list":                   {func(k *kindView) { k.learn(version("9")); _ = k.Replace(nil, "8") }, "9"},
		"a newer list":                    {func(k *kindView) { k.learn(version("9")); _ = k.Replace(nil, "10") }, ""},
		"before the first list":           {func(k *kindView) { k.everSaw = false; k.learn(version("9")) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := &kindView{v: &View{waiting: map[string]chan struct{}{}}, objects: map[string]Object{}, byDeployment: map[string]map[string]Object{}}
			if err := k.Replace(nil, "5"); err != nil {
				t.Fatal(err)
			}
			c.news(k)
			if got := stored(k); got != c.want {
				t.Errorf("it has version %q, want %q", got, c.want)
			}
		})
	}
}

// TestChangesOfAnApplication: who waits for one application is woken by what may
// matter to it, and by nothing else.
func TestChangesOfAnApplication(t *testing.T) {
	t.Parallel()
	of := func(application, version string) Object {
		m := configMap("n", "a", "k", "v")
		m.ResourceVersion = version
		if application != "" {
			m.Labels[applicationLabel] = application
		}
		return m
	}
	ours, selected := selector{labels: managedSelector}, selector{labels: "app=shop"}
	for name, c := range map[string]struct {
		of     selector
		change func(k *kindView)
		woken  string
	}{
		"changed":                   {ours, func(k *kindView) { _ = k.Update(of("web", "6")) }, "web, all"},
		"what this run wrote":       {ours, func(k *kindView) { k.learn(of("web", "6")) }, "web, all"},
		"what is known already":     {ours, func(k *kindView) { _ = k.Update(of("web", "5")) }, ""},
		"one that goes":             {ours, func(k *kindView) { _ = k.Delete(of("web", "6")) }, "web, all"},
		"given to another one":      {ours, func(k *kindView) { _ = k.Update(of("shop", "6")) }, "shop, web, all"},
		"of no application":         {ours, func(k *kindView) { _ = k.Update(of("", "6")) }, "shop, web, all"},
		"a list":                    {ours, func(k *kindView) { _ = k.Replace(nil, "6") }, "shop, web, all"},
		"no list":                   {ours, func(k *kindView) { k.fail(errors.New("refused")) }, "shop, web, all"},
		"somebody else's, selected": {selected, func(k *kindView) { _ = k.Update(of("web", "6")) }, "shop, web, all"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := &View{waiting: map[string]chan struct{}{}}
			k := &kindView{v: v, selector: c.of, objects: map[string]Object{}, byDeployment: map[string]map[string]Object{}}
			if err := k.Replace(nil, "4"); err != nil {
				t.Fatal(err)
			}
			if err := k.Update(of("web", "5")); err != nil {
				t.Fatal(err)
			}
			waiting := map[string]<-chan struct{}{}
			for _, application := range []string{"shop", "web", ""} {
				waiting[application] = v.Changes(application).Changed()
			}
			c.change(k)
			var woken []string
			for _, application := range []string{"shop", "web", ""} {
				select {
				case <-waiting[application]:
					woken = append(woken, cmp.Or(application, "all"))
				default:
				}
			}
			if got := strings.Join(woken, ", "); got != c.woken {
				t.Errorf("woken are those who wait for %q, want %q", got, c.woken)
			}
		})
	}
}
