package provider

import (
	"slices"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
)

// A cluster that was taken out of the provider while something is still on it.
func TestAClusterThatIsTakenOut(t *testing.T) {
	for typeName, base := range map[string]struct {
		config func(...obj) obj
		fill   obj
		what   string
	}{
		"switchback_deployment":      {api, applied, "deployment shop/api-"},
		"switchback_main_deployment": {mainAPI, promoted, "main deployment shop/api "},
	} {
		t.Run(typeName, func(t *testing.T) {
			on := func(run *session.Session) planner {
				return newPlanner(t, typeName, run, NewDeploymentResource, NewMainDeploymentResource)
			}
			before := on(clustersNamed("a", "b"))
			p := on(clustersNamed("a"))
			both, one := obj{"clusters": []any{"a", "b"}}, obj{"clusters": []any{"a"}}
			abandon := obj{"abandon_unreachable": true}
			prior := before.plan(base.config(both), nil).state(base.fill)
			abandoned := before.plan(base.config(both, abandon), nil).state(base.fill)
			refused := func(what string, got planned) {
				t.Helper()
				if texts := diagnosticTexts(got.diagnostics); !slices.Equal(texts, []string{"clusters: Cluster is not configured any more"}) {
					t.Errorf("%s: diagnostics %q", what, texts)
					return
				}
				for _, text := range []string{base.what, `"b"`, `it has "a"`, "abandon_unreachable", "terraform state rm"} {
					if d := got.diagnostics[0].Detail; !strings.Contains(d, text) {
						t.Errorf("%s: the detail does not say %q: %s", what, text, d)
					}
				}
			}
			refused("it is still wanted there", p.plan(base.config(both), prior))
			refused("it is still wanted there, and may be forgotten", p.plan(base.config(both, abandon), prior))
			refused("it is to leave it", p.plan(base.config(one), prior))
			refused("it is to go", p.destroy(prior))
			p.plan(base.config(one, abandon), prior).ok().wants(obj{"clusters": []any{"a"}})
			p.plan(base.config(one), abandoned).ok()
			p.destroy(abandoned).ok()
			on(clustersUnknown()).plan(base.config(both), prior).ok()
			on(clustersUnknown()).destroy(prior).ok()
		})
	}
}
