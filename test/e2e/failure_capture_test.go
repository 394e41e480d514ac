//go:build e2e

package e2e_test

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

var capture = flag.Bool("capture", false, "keep what the failures look like as test data of internal/health")

const (
	capturedDir = "../../internal/health/testdata/captured"

	// A file is for people to read, too.
	mostCaptured     = 40 << 10
	mostCapturedPods = 2
)

// wantVerdict waits until what the cluster shows of a release has the cause
// that its apply failed for. With -capture, that is kept.
func wantVerdict(t *testing.T, c *testnode.Cluster, namespace, name, as string, cause health.Cause, class health.Class) {
	t.Helper()
	var in health.Input
	testcluster.Eventually(t, testcluster.Hang, "the cluster to show "+string(cause), func() (err error) {
		in, err = objectTree(t, c, namespace, name)
		if err != nil {
			return err
		}
		verdict := health.Compute(in)
		if len(verdict.Findings) == 0 || verdict.Findings[0].Cause != cause || verdict.Class != class {
			return fmt.Errorf("the verdict is %+v", verdict)
		}
		return nil
	})
	if *capture {
		keep(t, c, in, as)
	}
}

// objectTree is what there is of a release, and the events of its namespace.
func objectTree(t *testing.T, c *testnode.Cluster, namespace, name string) (health.Input, error) {
	t.Helper()
	ctx, labelled := t.Context(), metav1.ListOptions{LabelSelector: release.LabelDeployment + "=" + name}
	workload, err1 := c.Client().AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
	sets, err2 := c.Client().AppsV1().ReplicaSets(namespace).List(ctx, labelled)
	pods, err3 := c.Client().CoreV1().Pods(namespace).List(ctx, labelled)
	events, err4 := c.Client().CoreV1().Events(namespace).List(ctx, metav1.ListOptions{})
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return health.Input{}, err
	}
	in := health.Input{Workload: workload, WantReplicas: *workload.Spec.Replicas, Generation: workload.Generation}
	in.Workload.TypeMeta = metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}
	for i := range sets.Items {
		sets.Items[i].TypeMeta = metav1.TypeMeta{APIVersion: "apps/v1", Kind: "ReplicaSet"}
		in.ReplicaSets = append(in.ReplicaSets, &sets.Items[i])
	}
	for i := range pods.Items {
		pods.Items[i].TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
		in.Pods = append(in.Pods, &pods.Items[i])
	}
	for i := range events.Items {
		events.Items[i].TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Event"}
		in.Events = append(in.Events, &events.Items[i])
	}
	return in, nil
}

// keep writes a captured file: the objects as they are, without managed fields
// and without what is this machine's own.
func keep(t *testing.T, c *testnode.Cluster, in health.Input, as string) {
	t.Helper()
	if len(in.Pods) > mostCapturedPods {
		t.Fatalf("%s has %d pods; keep it small", as, len(in.Pods))
	}
	all := []metav1.Object{in.Workload}
	for _, set := range in.ReplicaSets {
		all = append(all, set)
	}
	for _, pod := range in.Pods {
		all = append(all, pod)
	}
	slices.SortFunc(in.Events, func(a, b *corev1.Event) int { return strings.Compare(a.Name, b.Name) })
	for _, event := range in.Events {
		all = append(all, event)
	}
	var documents []string
	for _, object := range all {
		object.SetManagedFields(nil)
		text, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, string(text))
	}
	text := withoutMachine(t, c, strings.Join(documents, "---\n"))
	if len(text) > mostCaptured {
		t.Fatalf("%s is %d bytes long; keep it small", as, len(text))
	}
	if err := os.WriteFile(filepath.Join(capturedDir, as+".yaml"), []byte(text), 0o644); err != nil { //nolint:gosec // it is source code
		t.Fatal(err)
	}
}

// withoutMachine names what differs with the cluster's place on its machine the
// same in every run.
func withoutMachine(t *testing.T, c *testnode.Cluster, text string) string {
	t.Helper()
	node, _, err := net.SplitHostPort(c.Registry) // 10.x.0.2: all addresses of a cluster are in 10.x.0.0/16
	if err != nil {
		t.Fatal(err)
	}
	network := strings.TrimSuffix(node, "0.2")
	text = resolver.ReplaceAllString(text, "${1}192.0.2.53:53")
	return strings.NewReplacer(c.Registry, "registry.example", network, "10.0.", c.Dir, "/var/lib/node").Replace(text)
}

// resolver is who was asked for a registry's name.
var resolver = regexp.MustCompile(`(\blookup \S+ on |->)[0-9.]+:53\b`)
