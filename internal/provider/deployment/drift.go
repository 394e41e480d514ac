package deployment

import (
	"fmt"
	"maps"

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
		if o.Share > 0 && spec.DesiredState == release.DesiredStarted {
			workload.SetShareReplicas(wanted, o.Share, spec.Replicas)
		}
		found := workload.Drift(o.Workload, wanted, counted(o.Record.Baseline["Deployment"], spec), spec.IgnoreDrift)
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

// counted is a workload's baseline that has the number of its pods, where that is the
// configuration's to say. One that was written when others decided on it, for a share of the
// traffic, has none: what is wanted decides.
func counted(baseline map[string]string, spec release.Spec) map[string]string {
	if _, known := baseline[workload.ReplicasField]; known || len(baseline) == 0 || spec.Autoscaling != nil {
		return baseline
	}
	whole := maps.Clone(baseline)
	whole[workload.ReplicasField] = ""
	return whole
}

// companionDrift is driftOf for what a release has only where it is asked for.
// What an interrupted change has left behind is drift, too.
func companionDrift(o observe.Release, spec release.Spec) []attrs.Drift {
	if o.Record == nil {
		return nil // which is drift itself, and says nothing of the rest
	}
	drift := filesDrift(o, spec)
	for _, kind := range release.Companions() {
		var live, wanted workload.Object
		switch kind {
		case release.CompanionAutoscaler:
			scaler := workload.Autoscaler(spec)
			if o.Floor > 0 && scaler != nil {
				workload.KeepFloor(scaler, o.Floor)
			}
			live, wanted = objectOrNil(o.Autoscaler), objectOrNil(scaler)
		case release.CompanionDisruptionBudget:
			live, wanted = objectOrNil(o.DisruptionBudget), objectOrNil(workload.DisruptionBudget(spec))
		case release.CompanionPreview:
			live, wanted = objectOrNil(o.Preview), objectOrNil(workload.Preview(spec))
		case release.CompanionFiles:
			continue // there may be several
		}
		drift = append(drift, between(o, spec, kind, spec.Name(), live, wanted)...)
	}
	return drift
}

// filesDrift is companionDrift for the files of containers: a change of content in
// place that was interrupted may have left former ones.
func filesDrift(o observe.Release, spec release.Spec) []attrs.Drift {
	var drift []attrs.Drift
	wanted, found := workload.Files(spec), false
	for _, live := range o.Files {
		want := workload.Object(nil)
		if wanted != nil && wanted.Name == live.Name {
			want, found = wanted, true
		}
		drift = append(drift, between(o, spec, release.CompanionFiles, live.Name, live, want)...)
	}
	if wanted != nil && !found {
		drift = append(drift, between(o, spec, release.CompanionFiles, wanted.Name, nil, wanted)...)
	}
	return drift
}

// between compares a companion that lives with the one that there should be; nil is
// none.
func between(o observe.Release, spec release.Spec, kind release.Companion, name string, live, wanted workload.Object) []attrs.Drift {
	object := string(kind) + "/" + name
	switch {
	case live == nil && wanted == nil:
		return nil
	case live == nil:
		return []attrs.Drift{attrs.Gone(o.Cluster, object)}
	case wanted == nil:
		return []attrs.Drift{{
			Cluster: types.StringValue(o.Cluster), Object: types.StringValue(object),
			Actual: types.StringValue("there is one, which is not asked for"), Manager: types.StringValue(release.FieldManager),
		}}
	}
	return attrs.FieldDrift(o.Cluster, object, workload.Drift(live, wanted, o.Record.Baseline[string(kind)], spec.IgnoreDrift))
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
