package environment

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/address"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// environmentLook gathers what is seen of many applications.
type environmentLook struct {
	only   types.String // null: any environment
	silent map[string]error
	apps   []*applicationLook
}

func newEnvironmentLook(only types.String) *environmentLook {
	return &environmentLook{only: only, silent: map[string]error{}}
}

// applicationLook is one application of them.
type applicationLook struct {
	namespace, name string
	mains           []observe.Main
	releases        []attrs.Release
	known           map[string]bool // "cluster/name" of every release, of any environment
}

// leads is the release that the address of a cluster leads to; false where there
// is none such.
func (a *applicationLook) leads(o observe.Main) (string, bool) {
	name, stable := o.Split.Stable()
	return name, stable && a.known[o.Cluster+"/"+name]
}

// look reads one namespace on all clusters. What is wrong, but for a cluster that
// cannot be reached, is an error: a list without it would be taken for the whole.
func (d *environmentDataSource) look(ctx context.Context, all *environmentLook, targets []rollout.Cluster, namespace string, diags *diag.Diagnostics) {
	apps := map[string]*applicationLook{}
	reached := slices.Clone(targets)
	for _, s := range observe.Surveys(ctx, targets, namespace, "") {
		if all.unread(s.Cluster, s.Err, diags) {
			reached = slices.DeleteFunc(reached, func(c rollout.Cluster) bool { return c.Name() == s.Cluster })
			continue
		}
		for _, name := range s.Applications {
			if apps[name] == nil {
				apps[name] = &applicationLook{namespace: namespace, name: name, known: map[string]bool{}}
			}
		}
		for _, found := range s.Releases {
			apps[found.Application].known[s.Cluster+"/"+found.ID.Name] = true
			if r := attrs.ReleaseOf(found); all.only.IsNull() || all.only.Equal(r.Environment) {
				apps[found.Application].releases = append(apps[found.Application].releases, r)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(apps)) {
		app := apps[name]
		if !all.only.IsNull() && len(app.releases) == 0 {
			continue
		}
		for _, o := range observe.Mains(ctx, reached, namespace, name, "") {
			if !all.unread(o.Cluster, o.Err, diags) && o.Main != nil && o.Main.Deployment != "" && app.shows(o, all.only) {
				app.mains = append(app.mains, o)
			}
		}
		slices.SortStableFunc(app.releases, func(a, b attrs.Release) int { return -compareText(a.CreatedAt, b.CreatedAt) })
		all.apps = append(all.apps, app)
	}
}

func compareText(a, b types.String) int {
	switch {
	case a.ValueString() < b.ValueString():
		return -1
	case a.ValueString() > b.ValueString():
		return 1
	}
	return 0
}

// shows says whether an address is a matter of the environment: it leads to one of
// its releases, or to none at all.
func (a *applicationLook) shows(o observe.Main, only types.String) bool {
	name, leads := a.leads(o)
	return only.IsNull() || !leads || slices.ContainsFunc(a.releases, func(r attrs.Release) bool {
		return r.Cluster.ValueString() == o.Cluster && r.Name.ValueString() == name
	})
}

// unread notes that a cluster could not be read, and says so.
func (l *environmentLook) unread(cluster string, err error, diags *diag.Diagnostics) bool {
	if err == nil {
		return false
	}
	if explain.Unreachable(err) {
		l.silent[cluster] = err
	} else {
		explain.Error(diags, err)
	}
	return true
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
	slices.SortStableFunc(l.apps, func(a, b *applicationLook) int {
		return compareText(types.StringValue(a.namespace+"/"+a.name), types.StringValue(b.namespace+"/"+b.name))
	})
	for _, app := range l.apps {
		told, status := app.tell()
		parts = append(parts, status)
		m.Applications = append(m.Applications, told)
	}
	m.Status = types.StringValue(string(release.Worst(parts...)))
}

// tell is the application as a data source shows it.
func (a *applicationLook) tell() (applicationModel, release.EnvironmentStatus) {
	m := applicationModel{
		Namespace: types.StringValue(a.namespace), Application: types.StringValue(a.name), Version: types.StringNull(), DeploymentID: types.StringNull(),
		Clusters: []string{}, Running: []string{}, Problems: []string{},
	}
	state := a.address(&m)
	on := map[string]bool{}
	for _, o := range a.mains {
		on[o.Cluster] = true
	}
	for _, r := range a.releases {
		on[r.Cluster.ValueString()] = true
		status := release.Status(r.Status.ValueString())
		state.Releases = append(state.Releases, release.ApplicationMember{Status: status, Custody: release.Custody(r.Custody.ValueString()), Main: r.Main.ValueBool()})
		if id := r.ID.ValueString(); r.ReadyReplicas.ValueInt32() > 0 && !slices.Contains(m.Running, id) {
			m.Running = append(m.Running, id)
		}
		if r.ID.Equal(m.DeploymentID) {
			m.Version = r.Version
		}
		if status.Kind() == release.KindError || status == release.StatusCancelled {
			m.Problems = append(m.Problems, problemOf(r))
		}
	}
	m.Clusters = slices.Sorted(maps.Keys(on))
	status := state.Status()
	m.Status = types.StringValue(string(status))
	return m, status
}

// address tells of the application's address on all clusters.
func (a *applicationLook) address(m *applicationModel) (state release.ApplicationState) {
	led := map[string]bool{}
	for _, o := range a.mains {
		text, why := address.StatusOf([]observe.Main{o})
		status := release.MainStatus(text.ValueString())
		state.Main = append(state.Main, status)
		if m.MainStatus.IsNull() || status != release.MainFinalized {
			m.MainStatus = text
		}
		if reason := why.ValueString(); reason != "" {
			m.Problems = append(m.Problems, "the main deployment is "+string(status)+": "+reason)
		}
		name, leads := a.leads(o)
		if !leads {
			state.Nowhere = true
			m.Problems = append(m.Problems, fmt.Sprintf("the address on cluster %q leads to no deployment", o.Cluster))
			continue
		}
		led[name] = true
	}
	if len(led) > 1 {
		state.Apart = true
		m.Problems = append(m.Problems, "the clusters lead to different deployments: "+attrs.Quoted(slices.Sorted(maps.Keys(led))))
	}
	if !state.Nowhere {
		m.DeploymentID = attrs.IDOrNull(a.namespace, address.Agreed(led))
	}
	return state
}

// problemOf is what is wrong with a release, in one line.
func problemOf(r attrs.Release) string {
	text := fmt.Sprintf("%s (%s) on cluster %q is %s", r.Name.ValueString(), r.Version.ValueString(), r.Cluster.ValueString(), r.Status.ValueString())
	if reason := r.StatusReason.ValueString(); reason != "" {
		text += ": " + reason
	}
	return text
}
