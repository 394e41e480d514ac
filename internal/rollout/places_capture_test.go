package rollout_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
)

var capture = flag.Bool("capture", false, "keep what the control plane shows as test data of internal/health")

const capturedDir = "../health/testdata/captured-controlplane"

// keptObject is what a captured file is made of.
type keptObject interface {
	metav1.Object
	runtime.Object
}

// keep writes a captured file: the objects as they are, without managed fields
// and with a namespace that is the same in every run. Who has the workload's fields is
// kept where the workload is what others have changed.
func (s *scene) keep(t *testing.T, in health.Input, as string, asked int32) {
	t.Helper()
	var documents []string
	add := func(version, kind string, o keptObject) {
		if kind != "Deployment" || asked == 0 {
			o.SetManagedFields(nil)
		}
		o.GetObjectKind().SetGroupVersionKind(schema.FromAPIVersionAndKind(version, kind))
		text, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, string(text))
	}
	add("apps/v1", "Deployment", in.Workload)
	addAll(add, "apps/v1", "ReplicaSet", in.ReplicaSets)
	addAll(add, "v1", "Pod", in.Pods)
	addAll(add, "v1", "Event", in.Events)
	addAll(add, "v1", "PersistentVolumeClaim", in.Around.Claims)
	addAll(add, "v1", "ResourceQuota", in.Around.Quotas)
	addAll(add, "v1", "LimitRange", in.Around.LimitRanges)
	addAll(add, "v1", "Service", in.Around.Services)
	addAll(add, "discovery.k8s.io/v1", "EndpointSlice", in.Around.Endpoints)
	addAll(add, "gateway.networking.k8s.io/v1", "HTTPRoute", in.Around.Routes)
	if in.Around.Autoscaler != nil {
		add("autoscaling/v2", "HorizontalPodAutoscaler", in.Around.Autoscaler)
	}
	if in.Around.Disruption != nil {
		add("policy/v1", "PodDisruptionBudget", in.Around.Disruption)
	}
	observation := "kind: Observation\nnow: " + in.Now.UTC().Format(time.RFC3339) + "\n"
	if asked > 0 {
		observation += fmt.Sprintf("asked: %d\n", asked)
	}
	documents = append(documents, observation)
	text := strings.ReplaceAll(strings.Join(documents, "---\n"), s.namespace, "shop")
	if err := os.WriteFile(filepath.Join(capturedDir, as+".yaml"), []byte(text), 0o644); err != nil { //nolint:gosec // it is source code
		t.Fatal(err)
	}
}

func addAll[T keptObject](add func(version, kind string, o keptObject), version, kind string, list []T) {
	slices.SortFunc(list, func(a, b T) int { return strings.Compare(a.GetName(), b.GetName()) })
	for _, o := range list {
		add(version, kind, o)
	}
}
