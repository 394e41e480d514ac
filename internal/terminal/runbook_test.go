package terminal_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/terminal"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// byHand are the lines of a runbook that take nothing but kubectl.
func byHand(t *testing.T, s said) (lines []string) {
	t.Helper()
	var book terminal.Runbook
	decode(t, s, &book)
	for _, way := range book.Ways {
		if way.With != "kubectl" {
			continue
		}
		for _, step := range way.Steps {
			lines = append(lines, step.Lines...)
		}
	}
	return lines
}

// kubectl is the directory of the kubectl that end-to-end tests have, too: whether there is
// another one on the machine changes nothing.
func kubectl(t *testing.T) string {
	t.Helper()
	program, err := devtools.Devnode.Build(t.Context(), os.Stderr)
	dir := t.TempDir()
	if err = errors.Join(err, os.Symlink(program, filepath.Join(dir, "kubectl"))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// doByHand does what the lines say, as they stand there.
func doByHand(t *testing.T, lines ...string) {
	t.Helper()
	path := "PATH=" + kubectl(t) + string(os.PathListSeparator) + os.Getenv("PATH")
	for _, line := range lines {
		command := exec.CommandContext(t.Context(), "sh", "-c", line)
		command.Env = append(os.Environ(), path)
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
	}
}

// wantAction fails the test unless the lines that invoke an action give it what its page says
// that it takes.
func wantAction(t *testing.T, s said, action string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/actions/" + strings.TrimPrefix(action, "switchback_") + ".md")
	if err != nil {
		t.Fatal(err)
	}
	var book terminal.Runbook
	decode(t, s, &book)
	steps := book.Ways[0].Steps
	lines := steps[len(steps)-1].Lines
	if !strings.HasPrefix(lines[0], "action "+strconv.Quote(action)+" ") || lines[len(lines)-1] != "terraform apply -invoke=action."+action+".api" {
		t.Errorf("the action is %q", lines)
	}
	given := 0
	for _, line := range lines {
		if name, _, is := strings.Cut(line, "="); is && strings.HasPrefix(line, "    ") {
			if given++; !strings.Contains(string(page), "- `"+strings.TrimSpace(name)+"` (String)") {
				t.Errorf("%s does not take %q", action, line)
			}
		}
	}
	if given != 2 {
		t.Errorf("it gives %d attributes in %q", given, lines)
	}
}

// TestRunbook: the lines are for the state that the application is in, and do what they say.
func TestRunbook(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	here := []string{"--kubeconfig", testcluster.Shared(t).KubeconfigPath, "-n", s.namespace}
	do := func(args ...string) said { t.Helper(); return run(t, append(args, here...)...) }
	do("runbook", "api").wants(t, terminal.ExitFailed, `application "api" not found`)
	s.deploy("v1")
	do("runbook", "api").wants(t, terminal.ExitNo, "There is no way back: there is no main deployment of "+s.namespace+"/api on any cluster")
	s.promote("v1")
	do("runbook", "api").wants(t, terminal.ExitNo, "There is no way back: ", "no deployment was main before "+s.name("v1"))
	s.deploy("v2")
	s.promote("v2")
	do("runbook", "api").wants(t, terminal.ExitDone,
		"# Going back is from "+s.name("v2")+" to "+s.name("v1")+" (v1).\n", "so that the version is v1, and apply", `deployment_id = "`+s.namespace+"/"+s.name("v1")+`"`,
		"terraform apply -invoke=action.switchback_rollback.api\n", "patch service api --type merge --patch '", "# Then: The configuration still asks")
	wantAction(t, do("runbook", "api", "-o", "json"), "switchback_rollback")

	if _, err := s.engine.Stop(t.Context(), rollout.ActionRequest{ID: release.ID{Namespace: s.namespace, Name: s.name("v1")}, Clusters: s.on}); err != nil {
		t.Fatal(err)
	}
	lines := byHand(t, do("runbook", "api", "-o", "json"))
	if len(lines) != 3 || !strings.Contains(lines[0], " scale deployment "+s.name("v1")+" --replicas=1") || !strings.Contains(lines[1], " rollout status deployment "+s.name("v1")) {
		t.Errorf("from a release that has no pods, it is %q", lines)
	}
	doByHand(t, lines...)
	do("get", "api").wants(t, terminal.ExitDone, s.name("v1")+" main v1 ", " 100% 1/1 ")
}

// TestRunbookOfACanary: a route goes back, too, and whoever promotes is asked to, first.
func TestRunbookOfACanary(t *testing.T) {
	t.Parallel()
	s, here := newCanary(t)
	do := func(args ...string) said { t.Helper(); return run(t, append(args, here...)...) }
	lines := byHand(t, do("runbook", "api", "-o", "json"))
	if len(lines) != 2 || !strings.Contains(lines[0], " patch httproute api --type json --patch '") {
		t.Fatalf("in a pause, it is %q", lines)
	}
	doByHand(t, lines...)
	testcluster.Eventually(t, testcluster.Hang, "the traffic is back", func() error {
		if now := do("get", "api"); !strings.Contains(squeezed(now.out), s.name("v1")+" main v1 started 100%") {
			return errors.New(now.out)
		}
		return nil
	})
}

// TestRunbookWhileSomebodyPromotes: the first line makes them take it back.
func TestRunbookWhileSomebodyPromotes(t *testing.T) {
	t.Parallel()
	s, here := newCanary(t)
	do := func(args ...string) said { t.Helper(); return run(t, append(args, here...)...) }
	s.deploy("v3")
	s.Steps = []release.CanaryStep{{Weight: 10, Pause: time.Hour}}
	req := s.request("v3")
	watched := make(chan struct{})
	req.Progress = func(line string) {
		if strings.HasPrefix(line, "watching "+s.name("v3")) {
			close(watched)
		}
	}
	ended := make(chan error, 1)
	go func() {
		_, err := s.engine.Promote(t.Context(), req)
		ended <- err
	}()
	<-watched
	lines := byHand(t, do("runbook", "api", "-o", "json"))
	if len(lines) < 2 || !strings.Contains(lines[0], " patch configmap api-switchback --type merge --patch '") {
		t.Fatalf("while somebody promotes, it is %q", lines)
	}
	doByHand(t, lines[0])
	var asked *release.AskedBackError
	if err := <-ended; !errors.As(err, &asked) {
		t.Errorf("the promotion ends with %v", err)
	}
	do("get", "api").wants(t, terminal.ExitDone, s.name("v1")+" main v1 started 100%")
}

// TestRunbookOfAnAdoptedRule: only the rule's backends go back: to the release before, or to
// what the rule led to before it was adopted. All else of the route stays.
func TestRunbookOfAnAdoptedRule(t *testing.T) {
	t.Parallel()
	for _, back := range []struct{ to, from, way string }{{to: "v1", way: "[v1=100]"}, {from: "legacy", way: "[legacy=1]"}} {
		t.Run(back.to+back.from, func(t *testing.T) {
			t.Parallel()
			s := newRouted(t)
			s.routed = false
			path, client := "/apis/gateway.networking.k8s.io/v1/namespaces/"+s.namespace+"/httproutes/shop", testcluster.Shared(t).Client().Discovery().RESTClient()
			s.deploy("v1")
			leads := back.from
			if back.to == "" {
				testcluster.Shared(t).Legacy(t, s.namespace, leads, "demo/old:1")
			} else {
				s.promote("v1")
				leads = "api"
			}
			if err := client.Patch(types.ApplyYAMLPatchType).AbsPath(path).Param("fieldManager", "somebody").Body([]byte(`{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: shop}, spec: {
 parentRefs: [{name: public}], rules: [{name: web, backendRefs: [{name: web, port: 80}]}, {name: api, matches: [{path: {value: /api}}], backendRefs: [{name: ` + leads + `, port: 80}]}]}}`)).Do(t.Context()).Error(); err != nil {
				t.Fatal(err)
			}
			led := func() string {
				var route gatewayv1.HTTPRoute
				text, err := client.Get().AbsPath(path).DoRaw(t.Context())
				if err = errors.Join(err, json.Unmarshal(text, &route)); err != nil || len(route.Spec.Rules) != 2 || route.Spec.Rules[0].BackendRefs[0].Name != "web" || *route.Spec.Rules[1].Matches[0].Path.Value != "/api" {
					t.Fatalf("%v: the route is %s", err, text)
				}
				var refs []string
				for _, ref := range route.Spec.Rules[1].BackendRefs {
					refs = append(refs, fmt.Sprintf("%s=%d", strings.ReplaceAll(string(ref.Name), s.name("v1"), "v1"), *ref.Weight))
				}
				return fmt.Sprint(refs)
			}
			s.adopts, s.Steps = "api", []release.CanaryStep{{Weight: 25, Gate: release.GateManual}}
			s.promote("v1")
			if back.to != "" {
				s.deploy("v2")
				s.promote("v2")
			}
			if now := led(); strings.Count(now, "=") != 2 {
				t.Fatalf("before it goes back, the rule leads to %s", now)
			}
			if back.to == "" {
				s.says("", "get", "api").wants(t, terminal.ExitDone, s.name("v1")+" candidate v1 started 25%", "api is waiting: ")
				s.says("", "get").wants(t, terminal.ExitDone, "api waiting <none> legacy 75%, "+s.name("v1")+" 25% paused")
				s.says("", "guard", "api", "--once").wants(t, terminal.ExitDone, s.name("v1")+" does its work")
			}
			lines := byHand(t, s.says("", "runbook", "api", "-o", "json"))
			doByHand(t, lines...)
			if now := led(); now != back.way {
				t.Errorf("after %q, the rule leads to %s, want %s", lines, now, back.way)
			}
		})
	}
}

// TestRunbookOfSeveralClusters has lines for each of them, by its context.
func TestRunbookOfSeveralClusters(t *testing.T) {
	t.Parallel()
	both := testcluster.Routed(t, 2)
	namespace := both[0].Namespace(t)
	both[1].NamespaceNamed(t, namespace)
	kubeconfigs := map[string]string{"eu": both[0].KubeconfigPath, "us": both[1].KubeconfigPath}
	s := shopOn(t, namespace, kubeconfigs)
	for _, c := range both {
		c.DataPlane(t, namespace, "httproutes")
	}
	s.routed, s.Steps, s.member = true, []release.CanaryStep{{Weight: 25, Gate: release.GateManual}}, rollout.Member{Group: "shop", Name: "api"}
	for _, version := range []string{"v1", "v2"} {
		s.deploy(version)
		s.promote(version)
	}
	config := testcluster.Contexts(t, namespace, kubeconfigs)
	here := []string{"--kubeconfig", config, "--contexts", "us,eu", "-n", namespace}
	run(t, append([]string{"runbook", "api"}, here...)...).wants(t, terminal.ExitDone,
		`It belongs to the group "shop": what names this application alone leaves the other members where they are.`, "kubectl switchback rollback --group shop ", "switchback_rollback_group", `name = "shop"`,
		"kubectl switchback rollback api --namespace "+namespace+" --kubeconfig "+config+" --contexts us,eu\n")
	book := run(t, append([]string{"runbook", "api", "-o", "json"}, here...)...)
	wantAction(t, book, "switchback_rollback_group")
	lines := byHand(t, book)
	for context, n := range map[string]int{"eu": 2, "us": 2} {
		if of := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return !strings.Contains(line, " --context "+context+" ") }); len(of) != n {
			t.Errorf("of %s, it has %q", context, of)
		}
	}
	doByHand(t, lines...)
	for context := range kubeconfigs {
		testcluster.Eventually(t, testcluster.Hang, "the traffic is back on "+context, func() error {
			if now := run(t, "get", "api", "--kubeconfig", config, "--context", context, "-n", namespace); !strings.Contains(squeezed(now.out), s.name("v1")+" main v1 started 100%") {
				return errors.New(now.out)
			}
			return nil
		})
	}
}
