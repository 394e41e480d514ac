package environment

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// environmentLook gathers what is seen of many applications.
type environmentLook struct {
	only   types.String // null: any environment
	silent map[string]error
	apps   []observe.Application
}

func newEnvironmentLook(only types.String) *environmentLook {
	return &environmentLook{only: only, silent: map[string]error{}}
}

// look reads one namespace on all clusters. What is wrong, but for a cluster that
// cannot be reached, is an error: a list without it would be taken for the whole.
func (d *environmentDataSource) look(ctx context.Context, all *environmentLook, targets []rollout.Cluster, namespace string, diags *diag.Diagnostics) {
	apps, unread := observe.Applications(ctx, targets, namespace, "", all.only.ValueStringPointer())
	all.apps = append(all.apps, apps...)
	for _, cluster := range slices.Sorted(maps.Keys(unread)) {
		if err := unread[cluster]; explain.Unreachable(err) {
			all.silent[cluster] = err
		} else {
			explain.Error(diags, err)
		}
	}
}

func (l *environmentLook) unreachable() []string { return slices.Sorted(maps.Keys(l.silent)) }

// fill writes what was seen.
func (l *environmentLook) fill(m *environmentModel) {
	m.Unreachable = append([]string{}, l.unreachable()...)
	m.Applications = []applicationModel{}
	var parts []release.EnvironmentStatus
	if len(l.silent) > 0 {
		parts = append(parts, release.EnvironmentUnknown)
	}
	slices.SortStableFunc(l.apps, func(a, b observe.Application) int {
		return cmp.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	for _, app := range l.apps {
		s := app.Summary()
		parts = append(parts, s.Status)
		m.Applications = append(m.Applications, applicationOf(app, s))
	}
	m.Status = types.StringValue(string(release.Worst(parts...)))
}

// applicationOf is the application as a data source shows it.
func applicationOf(app observe.Application, s observe.Summary) applicationModel {
	m := applicationModel{
		Namespace: types.StringValue(app.Namespace), Application: types.StringValue(app.Name), Status: types.StringValue(string(s.Status)),
		MainStatus: attrs.TextOrNull(string(s.MainStatus)), DeploymentID: attrs.IDOrNull(app.Namespace, s.Main), Version: attrs.TextOrNull(s.Version),
		Clusters: s.Clusters, Running: s.Running, Problems: s.Problems,
	}
	for i, name := range m.Running {
		m.Running[i] = release.ID{Namespace: app.Namespace, Name: name}.String()
	}
	return m
}
