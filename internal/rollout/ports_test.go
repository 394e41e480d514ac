package rollout_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// TestNoPromotionIntoABlackHole: pods that are ready, and do not offer the
// address's ports, never get the traffic.
func TestNoPromotionIntoABlackHole(t *testing.T) {
	t.Parallel()
	l := application(t)
	ctx := t.Context()
	main := l.cluster.WatchMain(t, l.namespace, "api")
	hole := l.desired("v3", func(spec *release.Spec) {
		spec.Content.TemplatePatch = "spec: {containers: [{name: api, ports: [{$patch: replace}, {containerPort: 8080}]}]}"
	})
	l.names = map[string]string{"v3": hole.Name()}
	if err := l.once(t).create(ctx, hole); err != nil {
		t.Fatal(err)
	}
	var unready *release.NotReadyError
	if err := l.once(t).promote(ctx, "v3", 1); !errors.As(err, &unready) || !strings.Contains(err.Error(), `has "http", but its containers declare no ports`) {
		t.Errorf("promoted: %v", err)
	}
	// The release's own Service is what the EndpointSlices are compared with, too.
	_, err := l.cluster.Client().CoreV1().Services(l.namespace).Patch(ctx, l.name("v2"), types.JSONPatchType,
		[]byte(`[{"op":"replace","path":"/spec/ports/0/targetPort","value":"nowhere"}]`), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p := l.process(t)
	timing := faultyTiming()
	timing.Settle = 15 * time.Second // for the slices to say so
	p.engine = rollout.New(timing)
	if err := p.promote(ctx, "v2", 1); !errors.As(err, &unready) || !strings.Contains(err.Error(), `0 of its 2 pods are ready behind its Service`) || !strings.Contains(err.Error(), `do not offer port "http" (TCP)`) {
		t.Errorf("promoted: %v", err)
	}
	if got := l.address().Spec.Selector[release.LabelDeployment]; got != l.name("v1") {
		t.Errorf("the address selects %s", got)
	}
	main.NeverEmpty(t)
}

// TestBakeNoticesABlackHole: the release is well, and its address leads nowhere.
func TestBakeNoticesABlackHole(t *testing.T) {
	t.Parallel()
	l := application(t)
	ctx, p := t.Context(), l.process(t)
	_, err := p.promoteBaking(ctx, "v2", baking{d: longBake, seen: func() {
		_, err := l.cluster.Client().CoreV1().Services(l.namespace).Patch(ctx, "api", types.JSONPatchType,
			[]byte(`[{"op":"replace","path":"/spec/ports/0/targetPort","value":"nowhere"}]`), metav1.PatchOptions{FieldManager: "somebody"})
		if err != nil {
			t.Error(err)
		}
	}})
	var breach *rollout.BakeError
	if !errors.As(err, &breach) || !strings.Contains(err.Error(), "its address, the Service api, led to 0 of its 2 ready pods with all of its ports") {
		t.Errorf("%v", err)
	}
	if got := l.address().Spec.Selector[release.LabelDeployment]; got != l.name("v1") {
		t.Errorf("the address selects %s", got)
	}
}
