package session

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// Deed is what an action is about to do to one application, or to one deployment.
type Deed struct {
	On   []rollout.Cluster
	Need Need

	// Do does it. ends says how it ended, in a line; empty: there was nothing to do.
	Do func(ctx context.Context, say func(string)) (ends string, notices []rollout.Notice, err error)

	name  string           // of the application, where there are several
	diags diag.Diagnostics // why it is refused
}

// Way is in which order several applications are taken.
type Way string

// Ways.
const (
	Onwards   Way = "onwards"   // each after those that its group has it come after
	Backwards Way = "backwards" // those are last
)

// Do does what find finds out to be due of each application that the configuration means. One
// that is refused or fails does not keep the others from being done.
func (a Invocation) Do(ctx context.Context, config ActionConfig, way Way, find func(context.Context, rollout.WayBackRequest) (Deed, error)) {
	asked := rollout.WayBackRequest{Namespace: config.Namespace.ValueString(), Application: config.Application.ValueString()}
	if config.Several() {
		a.doSeveral(ctx, config, asked, way, find)
		return
	}
	if to, err := release.ParseID(config.DeploymentID.ValueString()); err == nil {
		asked.To = to.Name
	}
	a.DoOne(ctx, config, func(ctx context.Context) (Deed, error) {
		if asked.Clusters, asked.Named = a.ClustersOf(ctx, config.Clusters); a.Diags().HasError() {
			return Deed{}, nil
		}
		return find(ctx, asked)
	})
}

// DoOne does what find finds out to be due.
func (a Invocation) DoOne(ctx context.Context, config ActionConfig, find func(context.Context) (Deed, error)) {
	lines := NewStream(a.resp.SendProgress)
	defer lines.End(ctx)
	ctx, cancel := Limited(ctx, config.Timeout, config.Reason)
	defer cancel()
	d, err := find(ctx)
	if err != nil {
		a.Fail(err)
	}
	if a.Diags().HasError() {
		return
	}
	if d.On = a.Allowed(ctx, d.On, d.Need); a.Diags().HasError() {
		return
	}
	ends, notices, err := d.Do(ctx, lines.Say)
	explain.Notices(a.Diags(), notices, false)
	switch {
	case err != nil:
		a.Fail(err)
	case ends != "":
		lines.Say(ends)
	}
}

func (a Invocation) doSeveral(ctx context.Context, config ActionConfig, asked rollout.WayBackRequest, way Way, find func(context.Context, rollout.WayBackRequest) (Deed, error)) {
	lines := NewStream(a.resp.SendProgress)
	defer lines.End(ctx)
	deeds := a.prepare(ctx, config, asked, way, find)
	for _, d := range deeds {
		ends := "refused"
		if !d.diags.HasError() {
			ends = a.done(ctx, config, &d, lines)
		}
		for _, one := range d.diags {
			summary, detail := fmt.Sprintf("%s (application %q)", one.Summary(), d.name), one.Detail()
			if one.Severity() == diag.SeverityError {
				a.Diags().AddError(summary, detail) // no attribute is about this one
			} else {
				a.Diags().AddWarning(summary, detail)
			}
		}
		if failed := d.diags.Errors(); len(failed) > 0 {
			ends += ": " + failed[0].Summary()
		}
		lines.Say(d.name + ": " + ends)
	}
}

// prepare finds out what is to be done, and whether all of it may be, before the first write.
// Where it cannot be told which applications are meant, nothing is.
func (a Invocation) prepare(ctx context.Context, config ActionConfig, asked rollout.WayBackRequest, way Way, find func(context.Context, rollout.WayBackRequest) (Deed, error)) (deeds []Deed) {
	ctx, cancel := Limited(ctx, config.Timeout, config.Reason)
	defer cancel()
	asked.Clusters, _ = a.ClustersOf(ctx, config.Clusters)
	if a.Diags().HasError() {
		return nil
	}
	meant := config.matching()
	meant.Backwards = way == Backwards
	all, others, unread := meant.Find(ctx, asked.Clusters)
	for _, cluster := range slices.Sorted(maps.Keys(unread)) {
		a.Fail(fmt.Errorf("it cannot be told which applications of namespace %q are meant on cluster %q, and nothing was done; name in `clusters` those to act on: %w", asked.Namespace, cluster, unread[cluster]))
	}
	if len(unread) > 0 {
		return nil
	}
	for _, name := range others {
		a.Diags().AddWarning("Application of another environment", meant.OtherEnvironment(name))
	}
	if len(all) == 0 && len(others) == 0 {
		a.Diags().AddWarning("No application matches", fmt.Sprintf("No application of namespace %q has %s, and nothing was done. The data source switchback_deployments lists the deployments of a namespace.", asked.Namespace, config.matches()))
	}
	on := asked.Clusters
	for _, one := range all {
		name := one.Name
		asked.Application, asked.Clusters = name, on
		if one.On != nil {
			asked.Clusters = slices.DeleteFunc(slices.Clone(on), func(c rollout.Cluster) bool { return !slices.Contains(one.On, c.Name()) })
		}
		d, err := find(ctx, asked)
		d.name = name
		if err != nil {
			explain.Error(&d.diags, err)
		} else {
			d.On, d.diags = a.allowed(ctx, d.On, d.Need)
		}
		deeds = append(deeds, d)
	}
	return deeds
}

// done does it to one of several, and says how that ended.
func (a Invocation) done(ctx context.Context, config ActionConfig, d *Deed, lines *Stream) (ends string) {
	ctx, cancel := Limited(ctx, config.Timeout, config.Reason)
	defer cancel()
	ends, notices, err := d.Do(ctx, func(line string) { lines.Say(d.name + ": " + line) })
	explain.Notices(&d.diags, notices, false)
	switch {
	case err != nil:
		explain.Error(&d.diags, err)
		return "failed"
	case ends == "":
		return "there was nothing to do"
	}
	return ends
}
