package provider_test

import (
	"regexp"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestAccAddressThatNothingRemembers: the pointer is lost, and the state, and somebody
// has changed the Service. A create has no drift to show, and says what does help.
func TestAccAddressThatNothingRemembers(t *testing.T) {
	for what, shape := range map[string]func(l *lab) string{
		"a main deployment": func(l *lab) string { return l.config(l.deployment(), l.main()) },
		"a group": func(l *lab) string {
			return l.config(l.application("api", "v1"), group([]string{member("api")}))
		},
	} {
		t.Run(what, func(t *testing.T) {
			l := newLab(t)
			config := shape(l)
			l.inProcess().apply(config)
			l.must(l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Delete(t.Context(), release.MainName("api"), metav1.DeleteOptions{}))
			l.patchService("api", `{"spec":{"selector":{"`+release.LabelDeployment+`":"gone"}}}`)

			w := l.inProcess()
			r := w.applyFails(config)
			r.tells("Fields belong to another field manager", "no plan can show this as drift", "kubectl --namespace "+l.namespace+" patch service api --type json")
			r.silent("will be shown as drift")
			patch := regexp.MustCompile(`--patch '([^']+)'`).FindStringSubmatch(r.messages("error"))
			if patch == nil {
				t.Fatalf("there is no patch in %s", r.messages("error"))
			}
			_, err := l.cluster.Client().CoreV1().Services(l.namespace).Patch(t.Context(), "api", types.JSONPatchType, []byte(patch[1]), metav1.PatchOptions{FieldManager: "kubectl-patch"})
			l.must(err)
			w.apply(config)
			w.wantNoChanges()
		})
	}
}
