package deployment

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// driftOf is what others changed on one cluster. A release that is neither up
// nor stopped has none: its status says more.
func driftOf(o observe.Release, spec release.Spec, diags *diag.Diagnostics) []attrs.Drift {
	if o.Record != nil {
		if o.Record.Status != release.StatusStarted && o.Record.Status != release.StatusStopped {
			return nil
		}
		spec.DesiredState = o.Record.Status.Desired()
	}
	name := spec.Name()
	var drift []attrs.Drift
	if o.Record == nil {
		drift = append(drift, attrs.Gone(o.Cluster, "ConfigMap/"+name))
	}
	wanted, err := workload.Deployment(spec)
	if err != nil {
		diags.AddError("Deployment cannot be rendered", explain.Sentence(fmt.Sprintf("Comparing %s with what lives failed: %s. This is a bug in the provider.", name, err)))
		return nil
	}
	if o.Workload == nil {
		drift = append(drift, attrs.Gone(o.Cluster, "Deployment/"+name))
	} else if o.Record != nil {
		found := workload.Drift(o.Workload, wanted, o.Record.Baseline["Deployment"], spec.IgnoreDrift)
		drift = append(drift, attrs.FieldDrift(o.Cluster, "Deployment/"+name, workload.OtherContent(o.Workload, wanted, found))...)
		// What is no longer up was scaled to zero by us, which its status says.
		if off := workload.SwitchedOff(o.Workload, spec); off != nil && o.Record.Status.Up() {
			drift = append(drift, attrs.FieldDrift(o.Cluster, "Deployment/"+name, []workload.FieldDrift{*off})...)
		}
	}
	service := workload.Service(spec)
	switch {
	case service == nil:
	case o.Service == nil:
		drift = append(drift, attrs.Gone(o.Cluster, "Service/"+name))
	case o.Record != nil:
		drift = append(drift, attrs.FieldDrift(o.Cluster, "Service/"+name, workload.Drift(o.Service, service, o.Record.Baseline["Service"], spec.IgnoreDrift))...)
	}
	return append(drift, companionDrift(o, spec)...)
}

// companionDrift is driftOf for what a release has only where it is asked for.
// What an interrupted change has left behind is drift, too.
func companionDrift(o observe.Release, spec release.Spec) []attrs.Drift {
	if o.Record == nil {
		return nil // which is drift itself, and says nothing of the rest
	}
	var drift []attrs.Drift
	for _, kind := range release.Companions() {
		var live, wanted workload.Object
		switch kind {
		case release.CompanionAutoscaler:
			live, wanted = objectOrNil(o.Autoscaler), objectOrNil(workload.Autoscaler(spec))
		case release.CompanionDisruptionBudget:
			live, wanted = objectOrNil(o.DisruptionBudget), objectOrNil(workload.DisruptionBudget(spec))
		}
		object := string(kind) + "/" + spec.Name()
		switch {
		case live == nil && wanted == nil:
		case live == nil:
			drift = append(drift, attrs.Gone(o.Cluster, object))
		case wanted == nil:
			drift = append(drift, attrs.Drift{
				Cluster: types.StringValue(o.Cluster), Object: types.StringValue(object),
				Actual: types.StringValue("there is one, which is not asked for"), Manager: types.StringValue(release.FieldManager),
			})
		default:
			drift = append(drift, attrs.FieldDrift(o.Cluster, object, workload.Drift(live, wanted, o.Record.Baseline[string(kind)], spec.IgnoreDrift))...)
		}
	}
	return drift
}

// objectOrNil is a nil interface for a nil pointer.
func objectOrNil[P interface {
	comparable
	workload.Object
}](p P) workload.Object {
	var none P
	if p == none {
		return nil
	}
	return p
}
