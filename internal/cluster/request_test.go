package cluster

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestListenerIsToldOfRequests: each once, with its tries and how it failed.
func TestListenerIsToldOfRequests(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	namespace, proxy := c.Namespace(t), c.Proxy(t)
	var mu sync.Mutex
	var told []string
	w := connect(t, Config{ConfigPath: proxy.KubeconfigPath, Listener: func(r Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Took <= 0 || r.Cluster != "prod" {
			t.Errorf("%+v", r)
		}
		told = append(told, fmt.Sprintf("%s %s %s/%s %d %s", r.Verb, r.Kind, r.Namespace, r.Name, r.Tries, r.Failed))
	}})
	ctx := t.Context()
	m := configMap(namespace, "api", "key", "value")
	if err := w.Create(ctx, m); err != nil {
		t.Fatal(err)
	}
	proxy.SetFault(onFirst(func(r *testcluster.Request) bool { return r.Write() }, testcluster.Unavailable()))
	m.Data["key"] = "another"
	if err := w.Update(ctx, m); err != nil {
		t.Fatal(err)
	}
	if err := w.Get(ctx, namespace, "none", &corev1.ConfigMap{}); err == nil {
		t.Error("there is one")
	}
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []string{"create ConfigMap " + namespace + "/api 1 ", "update ConfigMap " + namespace + "/api 2 ", "get ConfigMap " + namespace + "/none 1 404"} {
		if n := len(slices.DeleteFunc(slices.Clone(told), func(line string) bool { return line != want })); n != 1 {
			t.Errorf("%q was told %d times: %q", want, n, told)
		}
	}
}
