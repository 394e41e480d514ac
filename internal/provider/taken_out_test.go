package provider

import (
	"slices"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/deployment"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/maindeployment"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/plantest"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
)

// A cluster that was taken out of the provider while something is still on it.
func TestAClusterThatIsTakenOut(t *testing.T) {
	for typeName, base := range map[string]struct {
		config func(...plantest.Obj) plantest.Obj
		fill   plantest.Obj
		what   string
	}{
		"switchback_deployment":      {plantest.Deployment, plantest.Deployed, "deployment shop/api-"},
		"switchback_main_deployment": {plantest.Main, plantest.Promoted, "main deployment shop/api "},
	} {
		t.Run(typeName, func(t *testing.T) {
			on := func(run *session.Session) plantest.Planner {
				return plantest.New(t, typeName, run, deployment.NewResource, maindeployment.NewResource)
			}
			before := on(plantest.ClustersNamed("a", "b"))
			p := on(plantest.ClustersNamed("a"))
			both, one := plantest.Obj{"clusters": []any{"a", "b"}}, plantest.Obj{"clusters": []any{"a"}}
			abandon := plantest.Obj{"abandon_unreachable": true}
			prior := before.Plan(base.config(both), nil).State(base.fill)
			abandoned := before.Plan(base.config(both, abandon), nil).State(base.fill)
			refused := func(what string, got plantest.Planned) {
				t.Helper()
				if texts := plantest.DiagnosticTexts(got.Diagnostics); !slices.Equal(texts, []string{"clusters: Cluster is not configured any more"}) {
					t.Errorf("%s: diagnostics %q", what, texts)
					return
				}
				for _, text := range []string{base.what, `"b"`, `it has "a"`, "abandon_unreachable", "terraform state rm"} {
					if d := got.Diagnostics[0].Detail; !strings.Contains(d, text) {
						t.Errorf("%s: the detail does not say %q: %s", what, text, d)
					}
				}
			}
			refused("it is still wanted there", p.Plan(base.config(both), prior))
			refused("it is still wanted there, and may be forgotten", p.Plan(base.config(both, abandon), prior))
			refused("it is to leave it", p.Plan(base.config(one), prior))
			refused("it is to go", p.Destroy(prior))
			p.Plan(base.config(one, abandon), prior).OK().Wants(plantest.Obj{"clusters": []any{"a"}})
			p.Plan(base.config(one), abandoned).OK()
			p.Destroy(abandoned).OK()
			on(plantest.ClustersUnknown()).Plan(base.config(both), prior).OK()
			on(plantest.ClustersUnknown()).Destroy(prior).OK()
		})
	}
}
