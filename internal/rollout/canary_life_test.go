package rollout_test

import (
	"encoding/json"
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// shareIn is the weight that the body of a route's write gives to a release.
func shareIn(t testing.TB, body []byte, name string) int {
	t.Helper()
	var route gatewayv1.HTTPRoute
	if err := json.Unmarshal(body, &route); err != nil {
		t.Fatal(err)
	}
	for _, rule := range route.Spec.Rules {
		for _, ref := range rule.BackendRefs {
			if string(ref.Name) == name && ref.Weight != nil {
				return int(*ref.Weight)
			}
		}
	}
	return 0
}

// routes are the application's, where the cluster knows of any.
func (l *life) routes(t *testing.T) []gatewayv1.HTTPRoute {
	t.Helper()
	path := fmt.Sprintf("/apis/gateway.networking.k8s.io/v1/namespaces/%s/httproutes", l.namespace)
	text, err := l.cluster.Client().Discovery().RESTClient().Get().AbsPath(path).SetHeader("Accept", "application/json").DoRaw(t.Context())
	if apierrors.IsNotFound(err) {
		return nil
	}
	must(t, err)
	var list gatewayv1.HTTPRouteList
	must(t, json.Unmarshal(text, &list))
	return list.Items
}

// resume lets a promotion that is paused go on, as status_reason says.
func (l *life) resume(p *process) {
	l.t.Helper()
	request, err := json.Marshal(release.Resuming(p.look().Main.Progress))
	must(l.t, err)
	patch, err := json.Marshal(map[string]any{"data": map[string]string{release.RequestKey: string(request)}})
	must(l.t, err)
	_, err = l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Patch(l.t.Context(), "api-switchback", types.MergePatchType, patch, metav1.PatchOptions{})
	must(l.t, err)
}

// pointerWaits returns when a Read sees that a promotion is in a pause that lasts, or
// that it is not.
func (l *life) pointerWaits(p *process, waits bool) {
	l.t.Helper()
	testcluster.Eventually(l.t, testcluster.Hang, "a Read that sees the pause", func() error {
		if text := p.look().Waits; (text != "") != waits {
			return fmt.Errorf("it says %q", text)
		}
		return nil
	})
}

// wantNo fails the test where something is there.
func (l *life) wantNo(what string, object release.Object) {
	l.t.Helper()
	c := l.process(l.t).on[0]
	if err := c.Get(l.t.Context(), l.namespace, "api", object); !apierrors.IsNotFound(err) {
		l.t.Errorf("%s is there (%v)", what, err)
	}
}

func cmpText(got, want release.Split) string { return fmt.Sprintf("it is %v, want %v", got, want) }
