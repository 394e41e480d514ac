package address

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// DesiredStateAttribute is `desired_state` of what holds the addresses of whose: "the
// application", "its applications".
func DesiredStateAttribute(whose string) schema.StringAttribute {
	meaning := map[release.DesiredState]string{
		release.DesiredStarted: "with pods",
		release.DesiredStopped: "the address stays where it leads, and the pods of all of the application's deployments go",
	}
	return schema.StringAttribute{
		Optional: true,
		MarkdownDescription: "Whether " + whose + " shall have pods, for example not at night: " + attrs.EnumText(release.DesiredStates(), meaning) + ". " +
			"A deployment that is created or changed while its application is stopped gets no pods, and a warning says so of one that is created; its `status` is `stopped`, and its plan is empty. " +
			"Started again, the main deployment gets the pods back that it had, and the apply returns when they are healthy. Default: `started`." + attrs.InPlace,
		Validators: []validator.String{attrs.OneOf(release.DesiredStates())},
	}
}

// Stopped says that a `desired_state` asks for no pods.
func Stopped(desired types.String) bool {
	return desired.ValueString() == string(release.DesiredStopped)
}

// StateOf is a state's `desired_state` after a refresh: where an application is other
// than the state says on any cluster, it is that. What somebody has stopped without a
// configuration stays so, and is no change: see TellStopped.
func StateOf(prior types.String, observed []observe.Main) types.String {
	for _, o := range observed {
		switch {
		case o.Main == nil || o.Main.Stopped() == Stopped(prior) || o.Main.StaysStopped() != nil:
		case o.Main.Stopped():
			return types.StringValue(string(release.DesiredStopped))
		default:
			return types.StringNull()
		}
	}
	return prior
}

// Desire notes whether the application shall have pods by the plan, and whether it had some
// before. What somebody has stopped without a configuration has none, and gets none, but by a
// configuration that starts what it had stopped. It says whether `desired_state` asks for
// something else, or may.
func (p *Plan) Desire(was, is types.String) (changes bool) {
	stays := p.Prior != nil && !p.Prior.StoppedBy.IsNull()
	p.WasStopped = stays || Stopped(was)
	p.Stopped = Stopped(is) || stays && !Starts(was, is)
	return is.IsUnknown() || Stopped(was) != Stopped(is)
}

// stoppedByTypes are the attributes of stopped_by.
var stoppedByTypes = map[string]attr.Type{"who": types.StringType, "since": types.StringType, "reason": types.StringType}

// StoppedByAttribute is `stopped_by`.
func StoppedByAttribute() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Computed: true,
		MarkdownDescription: "Who has stopped the application without a configuration, at a terminal or by an action, on all of its clusters; else null. " +
			"No apply starts it: `kubectl switchback start` does, or the action `switchback_start`. An apply with `desired_state = \"stopped\"` takes it over.",
		Attributes: map[string]schema.Attribute{
			"who":    attrs.ComputedString("Who it was."),
			"since":  attrs.ComputedString("When, in RFC 3339."),
			"reason": attrs.ComputedString("Why, in their words; null where they gave no reason."),
		},
	}
}

// refreshStopped writes who has stopped the application. A cluster that cannot be read may
// have been started or not.
func (m *Model) refreshStopped(observed []observe.Main) {
	var seen []*release.Hold
	for _, o := range observed {
		if o.Err == nil {
			seen = append(seen, o.Main.StaysStopped())
		}
	}
	if len(seen) > 0 {
		m.StoppedBy = stoppedBy(seen)
	}
}

// setStopped writes who has stopped the application after a promotion.
func (m *Model) setStopped(done rollout.Promoted) {
	var seen []*release.Hold
	for _, o := range done.Clusters {
		seen = append(seen, o.StoppedBy)
	}
	m.StoppedBy = stoppedBy(seen)
}

// stoppedBy is `stopped_by`, of what was seen on each cluster.
func stoppedBy(seen []*release.Hold) types.Object {
	if len(seen) == 0 || slices.Contains(seen, nil) {
		return types.ObjectNull(stoppedByTypes)
	}
	by := seen[0]
	return types.ObjectValueMust(stoppedByTypes, map[string]attr.Value{
		"who": types.StringValue(mask.Redact(by.Who())), "since": types.StringValue(by.At.UTC().Format(time.RFC3339)), "reason": attrs.TextOrNull(mask.Redact(by.Why)),
	})
}

// Starts says that a configuration that has asked for no pods asks for them now.
func Starts(prior, planned types.String) bool {
	return !Stopped(planned) && !planned.Equal(prior)
}

// TellStopped says who has stopped an application without a configuration: every plan and
// apply leaves it so.
func TellStopped(observed []observe.Main, id string, diags *diag.Diagnostics) {
	namespace, application, _ := strings.Cut(id, "/")
	for _, o := range observed {
		if o.Main == nil || o.Main.StaysStopped() == nil {
			continue
		}
		diags.AddWarning("Application is stopped", mask.Redact(fmt.Sprintf("%s has no pods on cluster %q: it was %s, and not by a configuration. Nothing here starts it: everything else of it can be changed. "+
			"`kubectl switchback start %s --namespace %s`, or the action `switchback_start` with `application`, brings its pods back; an apply with `desired_state = \"stopped\"` takes the stop over.", id, o.Cluster, o.Main.StaysStopped().StopText(), application, namespace)))
	}
}

// TellHeld says who holds a promotion where it is: no plan or apply moves it on.
func TellHeld(observed []observe.Main, id string, diags *diag.Diagnostics) {
	namespace, application, _ := strings.Cut(id, "/")
	for _, o := range observed {
		if o.Main == nil || o.Main.Progress == nil || o.Main.Progress.Held == nil {
			continue
		}
		diags.AddWarning("Promotion is held", mask.Redact(fmt.Sprintf("The promotion of %s to %s on cluster %q was %s. Nothing here moves it on, and everything else of it can be changed. "+
			"`kubectl switchback resume %s --namespace %s`, or the action `switchback_resume`, lets it go on, with the next apply; `kubectl switchback rollback %[5]s --namespace %[6]s` goes back.",
			id, o.Main.Progress.To, o.Cluster, o.Main.Progress.Held.Text(), application, namespace)))
	}
}
