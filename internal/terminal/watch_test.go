package terminal_test

import (
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/switchback-dev/terraform-provider-switchback/internal/terminal"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestWatch shows a canary that somebody else runs, from the pause to the end. To end a watch
// in the middle changes nothing: it has written nothing.
func TestWatch(t *testing.T) {
	t.Parallel()
	s, here := newCanary(t)
	proxy := testcluster.Shared(t).Proxy(t)
	through := []string{"--kubeconfig", proxy.KubeconfigPath, "-n", s.namespace}
	watch := begin(t, append([]string{"watch", "api"}, through...)...)
	ended := begin(t, append([]string{"watch", "--environment", "production"}, through...)...)
	data := begin(t, append([]string{"watch", "-o", "json"}, here...)...)
	paused := fmt.Sprintf("Z api is waiting: %s 75%%, %s 25%%, paused; pods: %s 1/1, %s 1/1; step 5 of 9: pause manual, paused\n", s.name("v1"), s.name("v2"), s.name("v2"), s.name("v1"))
	for _, one := range []*live{watch, ended} {
		one.until(paused)
	}
	data.until(`"promotion":"paused"`)
	ended.interrupted().wants(t, terminal.ExitDone)
	s.goOn()
	watch.until(fmt.Sprintf("Z api is ready: %s, finalized; pods: ", s.name("v2")))
	watch.interrupted().wants(t, terminal.ExitDone)
	data.until(`"main":"` + s.name("v2") + `"`)
	lines := strings.Split(strings.TrimSpace(data.interrupted().out), "\n")
	var app terminal.Application
	if err := yaml.UnmarshalStrict([]byte(lines[len(lines)-1]), &app); err != nil || app.Main != s.name("v2") || app.Kind != "Application" {
		t.Errorf("%v: at the end it is %+v", err, app)
	}
	if writes := ours(proxy.Writes()); len(writes) > 0 {
		t.Errorf("watching wrote %v", writes)
	}
	do := func(args ...string) said { t.Helper(); return run(t, append(args, here...)...) }
	do("watch", "apo").wants(t, terminal.ExitFailed, `application "apo" not found`, "It has: api.")
	do("watch", "api", "--group", "shop").wants(t, terminal.ExitUsage, "exclude each other")
	do("watch", "-o", "yaml").wants(t, terminal.ExitUsage, `there is no output format "yaml"`)
}

// TestWatchOfSeveralClusters says of which cluster the pods are, and that there is nothing yet.
func TestWatchOfSeveralClusters(t *testing.T) {
	t.Parallel()
	both := testcluster.Clusters(t, 2)
	namespace := both[0].Namespace(t)
	both[1].NamespaceNamed(t, namespace)
	config := testcluster.Contexts(t, namespace, map[string]string{"eu": both[0].KubeconfigPath, "us": both[1].KubeconfigPath})
	watch := begin(t, "watch", "--kubeconfig", config, "--contexts", "eu,us")
	watch.until("No applications found in " + namespace + " namespace; waiting for one.")
	s := shopOn(t, namespace, map[string]string{"eu": both[0].KubeconfigPath, "us": both[1].KubeconfigPath})
	s.deploy("v1")
	s.promote("v1")
	watch.until("pods: eu/" + s.name("v1") + " 1/1, us/" + s.name("v1") + " 1/1")
	watch.interrupted().wants(t, terminal.ExitDone)
}
