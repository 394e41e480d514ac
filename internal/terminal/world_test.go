package terminal_test

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/terminal"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

func TestMain(m *testing.M) { os.Exit(testcluster.Run(m)) }

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

// shop is a namespace with an application, "api", as the provider leaves it.
type shop struct {
	t         *testing.T
	namespace string
	engine    *rollout.Engine
	on        []rollout.Cluster
	owner     string
	app       string // the application
	member    rollout.Member
	asked     *release.Asked
	routed    bool
	adopts    string // a rule of the route "shop", which is somebody else's, in place of a route of its own

	candidates int   // that were made
	replicas   int32 // of each release; 0: one
	release.Canary
}

// shopOn is one on clusters that kubeconfigs lead to, by name.
func shopOn(t *testing.T, namespace string, kubeconfigs map[string]string) *shop {
	t.Helper()
	s := &shop{t: t, namespace: namespace, app: "api", engine: rollout.New(timing())}
	for name, path := range kubeconfigs {
		c, err := cluster.New(cluster.Config{Name: name, UserAgent: "terraform-provider-switchback/test", ConfigPath: path})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		s.on = append(s.on, wired{c})
	}
	return s
}

func newShop(t *testing.T) *shop {
	t.Helper()
	c := testcluster.Shared(t)
	return shopOn(t, c.Namespace(t), map[string]string{"prod": c.KubeconfigPath})
}

func (s *shop) spec(version, image string) release.Spec {
	return release.Spec{Namespace: s.namespace, Replicas: max(1, s.replicas), OnFailure: release.OnFailureStop, Environment: "production", Content: release.Content{
		Application: s.app, Version: version, Image: image, Labels: map[string]string{"team": "payments"},
		Container: release.Container{Ports: map[string]int32{"http": 8080}},
	}}
}

// name is the release of a version that can start.
func (s *shop) name(version string) string {
	return s.spec(version, "demo/api:"+version).Content.Name()
}

func (s *shop) deploy(version string) {
	s.t.Helper()
	if _, err := s.engine.Deploy(s.t.Context(), s.on, s.spec(version, "demo/api:"+version)); err != nil {
		s.t.Fatal(err)
	}
}

// request asks to make a version main.
func (s *shop) request(version string) rollout.PromoteRequest {
	req := rollout.PromoteRequest{
		Service: traffic.ServiceSpec{Namespace: s.namespace, Application: s.app, Name: s.app, Ports: map[string]int32{"http": 80}},
		To:      s.name(version), Owner: s.owner, Keep: release.Keep{Count: 2}, Drain: 10 * time.Millisecond, Clusters: s.on, Canary: s.Canary, Member: s.member, Asked: s.asked,
	}
	if s.routed {
		req.Route = &traffic.RouteSpec{
			Namespace: s.namespace, Application: s.app, Name: s.app, Kind: traffic.HTTPRoute, Port: "http", Settle: time.Millisecond,
			Parents: []gatewayv1.ParentReference{{Name: "public"}}, Hostnames: []gatewayv1.Hostname{"api.example.com"},
		}
	}
	if s.adopts != "" {
		req.Route = &traffic.RouteSpec{Namespace: s.namespace, Application: s.app, Name: "shop", Kind: traffic.HTTPRoute, Adopt: true, Rule: s.adopts, Port: "http", Settle: time.Millisecond}
	}
	return req
}

func (s *shop) promote(version string) {
	s.t.Helper()
	if err := s.promoting(version); err != nil {
		s.t.Fatal(err)
	}
}

// promoting is promote, which may fail.
func (s *shop) promoting(version string) error {
	done, err := s.engine.Promote(s.t.Context(), s.request(version))
	if err == nil {
		s.owner = done.Owner
	}
	return err
}

// said is what a command has said.
type said struct {
	out, err string
	exit     terminal.Exit
}

// run runs the command.
func run(t *testing.T, args ...string) said {
	t.Helper()
	return answered(t.Context(), "", args...)
}

// answered runs the command, and answers what it asks. Other processes are taken for dead
// within a second.
func answered(ctx context.Context, answer string, args ...string) said {
	return timed(ctx, timing(), answer, args...)
}

// patiently runs the command as one that takes nobody for dead.
func patiently(t *testing.T, args ...string) said {
	t.Helper()
	patient := timing()
	patient.Expiry = testcluster.Hang
	return timed(t.Context(), patient, "", args...)
}

func timed(ctx context.Context, timing rollout.Timing, answer string, args ...string) said {
	var out, err bytes.Buffer
	exit := terminal.Run(ctx, "test", genericiooptions.IOStreams{In: strings.NewReader(answer), Out: &out, ErrOut: &err}, args, terminal.WithTiming(timing))
	return said{out.String(), err.String(), exit}
}

func timing() rollout.Timing {
	return rollout.Timing{
		Beat: time.Hour, Expiry: time.Second, Poll: 100 * time.Millisecond,
		Grace: 500 * time.Millisecond, Settle: 90 * time.Second, Cleanup: 30 * time.Second, Patience: time.Minute,
	}
}

// wants fails the test unless the command ended so and wrote all of these.
func (s said) wants(t *testing.T, exit terminal.Exit, texts ...string) {
	t.Helper()
	if s.exit != exit {
		t.Errorf("it ended with %d, want %d", s.exit, exit)
	}
	for _, text := range texts {
		if !strings.Contains(squeezed(s.out+s.err), text) {
			t.Errorf("no %q", text)
		}
	}
	if t.Failed() {
		t.Fatalf("it wrote\n%s\nand as errors\n%s", s.out, s.err)
	}
}

// squeezed is a text with single spaces.
func squeezed(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.Join(strings.Fields(line), " ")
	}
	return strings.Join(lines, "\n")
}
