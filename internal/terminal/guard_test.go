package terminal_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/terminal"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// fails lets every pod of a version not be ready.
func (s *shop) fails(version string) {
	s.t.Helper()
	pods := testcluster.Shared(s.t).Client().CoreV1().Pods(s.namespace)
	list, err := pods.List(s.t.Context(), metav1.ListOptions{LabelSelector: release.LabelDeployment + "=" + s.name(version)})
	if err != nil || len(list.Items) == 0 {
		s.t.Fatalf("%d pods: %v", len(list.Items), err)
	}
	for _, pod := range list.Items {
		patch := []byte(`{"status":{"conditions":[{"type":"Ready","status":"False"},{"type":"ContainersReady","status":"False"}]}}`)
		if _, err := pods.Patch(s.t.Context(), pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestGuard: the pods of a release fail in a pause, hours after its apply has ended. All of
// the traffic goes back, and the release is not tried again as if nothing had been.
func TestGuard(t *testing.T) {
	t.Parallel()
	s, here := newCanary(t)
	do := func(args ...string) said { t.Helper(); return run(t, append(args, here...)...) }
	do("guard", "api", "--once").wants(t, terminal.ExitDone, s.name("v2")+" does its work")
	proxy := testcluster.Shared(t).Proxy(t)
	guard := begin(t, "guard", "api", "--reason", "night shift", "--kubeconfig", proxy.KubeconfigPath, "-n", s.namespace)
	guard.until("watching " + s.name("v2"))
	if writes := ours(proxy.Writes()); len(writes) > 0 {
		t.Errorf("while it watches, it writes %v", writes)
	}
	s.fails("v2")
	ended := guard.ended()
	ended.wants(t, terminal.ExitNo, s.name("v2")+`, on cluster "`, "with 25 % of the traffic: 0 of its 1 pods were ready, and it needs 1: taking it back", "is back on "+s.name("v1"))
	do("get", "api").wants(t, terminal.ExitDone, s.name("v1")+" main v1 started 100%", " 0% ")
	do("history", "api", "--operation", "rollback", "--limit", "1").wants(t, terminal.ExitDone, "rollback succeeded ", "0 of its 1 pods were ready, and it needs 1 (night shift)")
	do("guard", "api").wants(t, terminal.ExitDone, "no promotion of api is open")
}

// ours are the requests that write, but for questions about permissions.
func ours(requests []testcluster.Request) (paths []string) {
	for _, r := range requests {
		if !strings.Contains(r.Path, "authorization.k8s.io") && !strings.Contains(r.Path, "authentication.k8s.io") {
			paths = append(paths, r.Method+" "+r.Path)
		}
	}
	return paths
}

// TestGuardUnattended: nobody comes for a promotion, and its time is over.
func TestGuardUnattended(t *testing.T) {
	t.Parallel()
	s, here := newCanary(t)
	do := func(args ...string) said { t.Helper(); return run(t, append(args, here...)...) }
	do("guard", "api", "--once", "--unattended", "24h").wants(t, terminal.ExitDone, "does its work")
	do("get", "api").wants(t, terminal.ExitDone, s.name("v2")+" candidate v2 started 25%")
	do("guard", "api", "--unattended", "1ms").wants(t, terminal.ExitNo, "no run has done anything for the promotion to "+s.name("v2")+" on cluster", "is back on "+s.name("v1"))
	do("get", "api").wants(t, terminal.ExitDone, s.name("v1")+" main v1 started 100%")
}

// TestGuardEnds with the promotion, whoever brings it there, and says when it is ended itself.
func TestGuardEnds(t *testing.T) {
	t.Parallel()
	s, here := newCanary(t)
	first := begin(t, append([]string{"guard", "api"}, here...)...)
	second := begin(t, append([]string{"guard", "api"}, here...)...)
	first.until("watching " + s.name("v2"))
	second.until("watching " + s.name("v2"))
	first.interrupted().wants(t, terminal.ExitFailed, "guard was ended before the promotion was: nothing was changed")
	s.goOn()
	second.ended().wants(t, terminal.ExitDone, fmt.Sprintf("the promotion to %s is over", s.name("v2")))
	run(t, append([]string{"get", "api"}, here...)...).wants(t, terminal.ExitDone, s.name("v2")+" main v2 started 100%")
}

// TestGuardJob: the manifest is one that the API server takes, and asks for no more than it needs.
func TestGuardJob(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	namespace := c.Namespace(t)
	if _, err := c.Client().CoreV1().Namespaces().Patch(t.Context(), namespace, types.MergePatchType, []byte(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	here := []string{"--kubeconfig", c.KubeconfigPath, "-n", namespace}
	do := func(args string) said { t.Helper(); return run(t, append(strings.Fields(args), here...)...) }
	printed := do("guard api --unattended 2h --reason night --print-job --image registry.example/kubectl-switchback:v1 --service-account releaser")
	printed.wants(t, terminal.ExitDone, "- guard\n", "- 2h0m0s\n", "- night\n")
	var job batchv1.Job
	if err := yaml.UnmarshalStrict([]byte(printed.out), &job); err != nil {
		t.Fatal(err)
	}
	create := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict}
	if _, err := c.Client().BatchV1().Jobs(namespace).Create(context.WithoutCancel(t.Context()), &job, create); err != nil {
		t.Errorf("the API server refuses it: %v", err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "guard"}, Spec: job.Spec.Template.Spec}
	pod.Spec.ServiceAccountName = "" // which is not there
	if _, err := c.Client().CoreV1().Pods(namespace).Create(t.Context(), pod, create); err != nil {
		t.Errorf("a namespace with the strictest pod security refuses its pod: %v", err)
	}
	do("guard api --print-job --image x").wants(t, terminal.ExitUsage, "--print-job takes --service-account")
	do("guard api --image x").wants(t, terminal.ExitUsage, "add --print-job")
	do("guard api --unattended -1s").wants(t, terminal.ExitUsage, "--unattended -1s: it must be a time")
}

// TestGuardOfCopies: a release that gets copies of requests is watched as one with a share.
func TestGuardOfCopies(t *testing.T) {
	t.Parallel()
	s := newRouted(t)
	s.Mirror = &release.CanaryMirror{Percent: 20, Gate: release.GateManual}
	for _, version := range []string{"v1", "v2"} {
		s.deploy(version)
		s.promote(version)
	}
	s.says("", "guard", "api", "--once").wants(t, terminal.ExitDone, s.name("v2")+" does its work")
	s.fails("v2")
	s.says("", "guard", "api").wants(t, terminal.ExitNo, "with copies of 20 % of the requests: 0 of its 1 pods were ready, and it needs 1: taking it back", "is back on "+s.name("v1"))
	s.says("", "get", "api").wants(t, terminal.ExitDone, s.name("v1")+" main v1 started 100%")
}

// TestGuardJobOfARelease runs in the image that the release publishes. A build of a commit
// has none.
func TestGuardJobOfARelease(t *testing.T) {
	t.Parallel()
	var releaser struct {
		Kos []struct {
			Repositories, Tags []string
		}
	}
	if config, err := os.ReadFile("../../.goreleaser.yml"); err != nil {
		t.Fatal(err)
	} else if err := yaml.Unmarshal(config, &releaser); err != nil {
		t.Fatal(err)
	}
	if len(releaser.Kos) != 1 || fmt.Sprint(releaser.Kos[0].Tags) != "[{{ .Version }}]" {
		t.Fatalf("a release publishes the images %+v", releaser.Kos)
	}
	image := func(version string, args ...string) said {
		var out, err bytes.Buffer
		args = append([]string{"guard", "api", "-n", "shop", "--print-job", "--service-account", "releaser"}, args...)
		exit := terminal.Run(t.Context(), version, genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &err}, args)
		return said{out.String(), err.String(), exit}
	}
	for _, version := range []string{"0.1.0", "1.20.3", "0.2.0-rc1", "0.2.0-beta.2"} {
		image(version).wants(t, terminal.ExitDone, "image: "+releaser.Kos[0].Repositories[0]+":"+version+"\n")
	}
	for _, version := range []string{"dev", "5a1e9d0", "0.1.0-4-g5a1e9d0", "0.1.0-dirty", "0.1.0-SNAPSHOT-5a1e9d0"} {
		image(version).wants(t, terminal.ExitUsage, "takes --image here", fmt.Sprintf("the build %q, of which no image is published", version))
		image(version, "--image", "registry.example/mine").wants(t, terminal.ExitDone, "image: registry.example/mine\n")
	}
}

// dying is the shop with a run that dies after the first write that has a text in the pointer.
func (s *shop) dying(text string) (of *shop, ctx context.Context) {
	s.t.Helper()
	proxy := testcluster.Shared(s.t).Proxy(s.t)
	of = shopOn(s.t, s.namespace, map[string]string{"prod": proxy.KubeconfigPath})
	of.engine = rollout.New(rollout.Timing{Beat: time.Hour, Expiry: time.Second, Poll: 100 * time.Millisecond, Grace: time.Second, Settle: time.Minute, Cleanup: time.Millisecond})
	of.routed, of.Canary, of.owner = true, s.Canary, s.owner
	ctx, kill := context.WithCancel(s.t.Context())
	s.t.Cleanup(kill)
	death := proxy.DiesAfter(1, func(r *testcluster.Request) bool {
		return r.Write() && strings.HasSuffix(r.Path, "/configmaps/api-switchback") && strings.Contains(string(r.Body), text)
	}, kill)
	proxy.SetFault(death.Fault)
	return of, ctx
}

// TestGuardEndsAWayBack: a run dies before the route leads back, although it has written down
// that it shall. The promotion is still there, with its share of the traffic.
func TestGuardEndsAWayBack(t *testing.T) {
	t.Parallel()
	s := newRouted(t)
	s.Steps = []release.CanaryStep{{Weight: 25, Pause: time.Hour}}
	s.deploy("v1")
	s.promote("v1")
	s.deploy("v2")
	dying, ctx := s.dying(`\"direction\":\"back\"`)
	request := dying.request("v2")
	request.Progress = func(line string) {
		if strings.HasPrefix(line, "watching") {
			s.fails("v2")
		}
	}
	_, err := dying.engine.Promote(ctx, request)
	if p := s.main().Progress; err == nil || p == nil || p.Direction != release.DirectionBack {
		t.Fatalf("the run did not die on its way back: %v, %+v", err, p)
	}
	s.says("", "get", "api").wants(t, terminal.ExitDone, s.name("v2")+" candidate v2 degraded 25%")
	patiently(t, "guard", "api", "--once", "--kubeconfig", testcluster.Shared(t).KubeconfigPath, "-n", s.namespace).wants(t, terminal.ExitDone, "the traffic is on its way back from "+s.name("v2"))
	s.says("", "guard", "api", "--unattended", "1ms").wants(t, terminal.ExitNo, "no run has done anything for the way back from "+s.name("v2")+" on cluster", "is back on "+s.name("v1"))
	s.says("", "get", "api").wants(t, terminal.ExitDone, s.name("v1")+" main v1 started 100%")
}

// TestGuardEndsWhatWasAborted: whoever gives a promotion up dies before its route leads back. A
// guard ends that, and nothing is remembered against the release: it was not what failed.
func TestGuardEndsWhatWasAborted(t *testing.T) {
	t.Parallel()
	s, here := newCanary(t)
	dying, ctx := s.dying(`\"givesUp\":`)
	back, err := rollout.WayOutOf(ctx, rollout.WayBackRequest{Namespace: s.namespace, Application: "api", Clusters: dying.on})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dying.engine.TakeBack(ctx, back); err == nil || s.main().Progress == nil {
		t.Fatalf("whoever aborts did not die on the way: %v", err)
	}
	do := func(args ...string) said { t.Helper(); return run(t, append(args, here...)...) }
	patiently(t, append([]string{"guard", "api", "--once"}, here...)...).wants(t, terminal.ExitDone, "the traffic is on its way back from "+s.name("v2"))
	do("guard", "api", "--unattended", "1ms").wants(t, terminal.ExitNo, "no run has done anything for the way back from "+s.name("v2")+" on cluster", "is back on "+s.name("v1"))
	if m := s.main(); m.Breach != nil || m.Progress != nil || m.Deployment != s.name("v1") {
		t.Errorf("it is %+v, and remembers %+v", m, m.Breach)
	}
}

// TestGuardAfterAKill: a run dies before it has moved anything of the traffic of v2. It is the
// promotion of v3 that is taken back, and not v2, which was main.
func TestGuardAfterAKill(t *testing.T) {
	t.Parallel()
	s, here := newCanary(t)
	s.goOn() // main, with v1 before it
	s.deploy("v3")
	dying, ctx := s.dying(`"` + release.ProgressKey + `":"{`)
	if _, err := dying.engine.Promote(ctx, dying.request("v3")); err == nil {
		t.Fatal("the run did not die")
	}
	do := func(args ...string) said { t.Helper(); return run(t, append(args, here...)...) }
	do("get", "api").wants(t, terminal.ExitDone, s.name("v3")+" candidate v3 started 0%", s.name("v2")+" main v2 started 100%")
	do("guard", "api", "--unattended", "1ms").wants(t, terminal.ExitNo, "no run has done anything for the promotion to "+s.name("v3"), "is back on "+s.name("v2"))
	do("get", "api").wants(t, terminal.ExitDone, s.name("v2")+" main v2 started 100%")
}
