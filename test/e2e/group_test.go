//go:build e2e

package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

// twins are two clusters with the same namespace on each, and a working
// directory that releases on both.
type twins struct {
	*workspace
	clusters map[string]*testnode.Cluster
}

func newTwins(t *testing.T, namespace string) *twins {
	t.Helper()
	w := &twins{clusters: map[string]*testnode.Cluster{}}
	for _, name := range []string{"east", "west"} {
		w.clusters[name] = testnode.Start(t, testnode.Options{})
	}
	w.workspace = workspaceOn(t, w.clusters["east"], namespace)
	_, err := w.clusters["west"].Client().CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// groupText is two applications on both clusters, which move as one: web first,
// then shop. lastBake is how long shop is watched.
func (w *twins) groupText(version, lastBake string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `terraform {
  required_providers {
    switchback = { source = "switchback-dev/switchback" }
  }
}
provider "switchback" {
  clusters = {
    east = { config_path = %q }
    west = { config_path = %q }
  }
}
`, w.clusters["east"].KubeconfigPath, w.clusters["west"].KubeconfigPath)
	for _, application := range []string{"web", "shop"} {
		fmt.Fprintf(&b, `
resource "switchback_deployment" %q {
  application = %[1]q
  namespace   = %q
  version     = %q
  image       = %q
  replicas    = 3
  clusters    = ["east", "west"]
  container = {
    ports           = { http = 8080 }
    readiness_probe = { http_get = { path = "/readyz", port = "http" }, period_seconds = 1 }
  }
  lifecycle {
    create_before_destroy = true
  }
}
`, application, w.namespace, version, testnode.AppImage(version))
	}
	fmt.Fprintf(&b, `
resource "switchback_deployment_group" "site" {
  name     = "site"
  clusters = ["east", "west"]
  members = {
    web  = { deployment_id = switchback_deployment.web.id, traffic = { service = { ports = { http = 80 } } } }
    shop = { deployment_id = switchback_deployment.shop.id, traffic = { service = { ports = { http = 80 } } } }
  }
  waves = [
    { members = ["web"], bake = "2s" },
    { members = ["shop"], bake = %q },
  ]
  keep_previous = { count = 1 }
  drain         = "1s"
}
`, lastBake)
	return b.String()
}

func (w *twins) applyGroup(version, lastBake string) *execution {
	w.t.Helper()
	w.file("main.tf", w.groupText(version, lastBake))
	return w.start("apply", "-auto-approve", "-no-color", "-input=false")
}

// urlOn is the URL of an application's address on one of the clusters.
func (w *twins) urlOn(cluster, application string) string {
	w.t.Helper()
	service, err := w.clusters[cluster].Client().CoreV1().Services(w.namespace).Get(w.t.Context(), application, metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return "http://" + service.Spec.ClusterIP
}

// everywhere does something about each of the four addresses.
func (w *twins) everywhere(do func(at, url string)) {
	w.t.Helper()
	for _, cluster := range []string{"east", "west"} {
		for _, application := range []string{"web", "shop"} {
			do(application+" on "+cluster, w.urlOn(cluster, application))
		}
	}
}

// answersWith is an error until a version answers at a URL, or when the command has ended before.
func (w *twins) answersWith(x *execution, url, version string) {
	w.t.Helper()
	testcluster.Eventually(w.t, testcluster.Hang, version+" to answer at "+url, func() error {
		select {
		case <-x.Exited():
			w.t.Fatalf("the apply has ended before: %v", x.Wait())
		default:
		}
		_, header, err := get(w.t.Context(), url)
		if got := header.Get("X-Version"); err == nil && got != version {
			err = fmt.Errorf("it is %s", got)
		}
		return err
	})
}

// TestGroupMovesAsOne moves two applications on two clusters at once, under load
// on all four addresses. First two pods of the last one lose their readiness while
// it is watched, one more than it can do without: everything goes back. Then an API server is killed between the
// waves: the group goes on when it is back. No request is lost in either.
func TestGroupMovesAsOne(t *testing.T) {
	beside(t, 2*ownOne)
	w := newTwins(t, "group")
	if _, err := w.applyGroup("v1", "2s").wait(); err != nil {
		t.Fatal(err)
	}
	loads := map[string]*load{}
	w.everywhere(func(at, url string) {
		w.untilAnsweredBy(url, "v1")
		loads[at] = lightLoad(t, url)
	})
	began := time.Now()
	var marks []mark
	note := func(format string, args ...any) {
		marks = append(marks, mark{time.Now(), fmt.Sprintf(format, args...)})
	}

	note("v2")
	x := w.applyGroup("v2", "4m")
	shop := w.urlOn("west", "shop")
	w.answersWith(x, shop, "v2")
	note("two pods of shop on west are not ready")
	unready(t, shop, 2)
	output, err := x.wait()
	if err == nil {
		t.Fatalf("the apply succeeded although a release lost its pods:\n%s", output)
	}
	note("everything is back")
	t.Logf("what the apply said:\n%s", output)
	for _, want := range []string{"shop", "west", " ready, and it needs 2", "back where it was"} {
		if !strings.Contains(output, want) {
			t.Errorf("the error does not say %q", want)
		}
	}
	w.everywhere(func(_, url string) { w.untilAnsweredBy(url, "v1") })
	if output, err := w.applyGroup("v1", "2s").wait(); err != nil {
		t.Errorf("what was configured before cannot be applied: %v\n%s", err, output)
	}
	if output, err := w.start("plan", "-detailed-exitcode", "-no-color", "-input=false").wait(); err != nil {
		t.Errorf("the plan afterwards is not empty:\n%s", output)
	}

	note("v3")
	x = w.applyGroup("v3", "2s")
	w.answersWith(x, w.urlOn("west", "web"), "v3")
	note("the API server of west is killed")
	back := restart(t, w.clusters["west"])
	testcluster.Eventually(t, outage/3, "the API server to be away", func() error {
		if reach(t, w.clusters["west"]) == nil {
			return errors.New("it still answers")
		}
		return nil
	})
	pause(t, outage)
	if err := back(); err != nil {
		t.Fatal(err)
	}
	note("it is back")
	if output, err := x.wait(); err != nil {
		t.Fatalf("the apply did not go on: %v\n%s", err, output)
	}
	w.everywhere(func(_, url string) { w.untilAnsweredBy(url, "v3") })
	pause(t, time.Second)
	over := time.Now()

	for at, l := range loads {
		answers := l.end()
		t.Logf("%s: %s", at, sum(between(answers, began, over)))
		l.mustNotFail(t, answers)
		if at == "shop on west" {
			l.draw(t, "group", "shop on west: v2 fails while it is watched; v3: answers a second", answers, marks)
		}
	}
	if output, err := w.destroy(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

// unready makes so many of the pods behind a URL lose their readiness. They go on
// answering.
func unready(t *testing.T, url string, pods int) {
	t.Helper()
	told := map[string]bool{}
	testcluster.Eventually(t, 30*time.Second, "pods to be told", func() error {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/unready", nil)
		if err != nil {
			return err
		}
		request.Close = true // another connection may lead to another pod
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		told[response.Header.Get("X-Pod")] = true
		if err := response.Body.Close(); err != nil || len(told) < pods {
			return errors.Join(err, fmt.Errorf("%d of %d", len(told), pods))
		}
		return nil
	})
}
