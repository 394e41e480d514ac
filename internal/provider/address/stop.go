package address

import (
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
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
// than the state says on any cluster, it is that.
func StateOf(prior types.String, observed []observe.Main) types.String {
	for _, o := range observed {
		switch {
		case o.Main == nil || o.Main.Stopped() == Stopped(prior):
		case o.Main.Stopped():
			return types.StringValue(string(release.DesiredStopped))
		default:
			return types.StringNull()
		}
	}
	return prior
}
