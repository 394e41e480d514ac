package maindeployment

import (
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// mainStateMeaning documents desired_state.
var mainStateMeaning = map[release.DesiredState]string{
	release.DesiredStarted: "it runs",
	release.DesiredStopped: "the address stays where it leads, and the pods of all of the application's deployments go",
}

func desiredStateAttribute() schema.StringAttribute {
	return schema.StringAttribute{
		Optional: true,
		MarkdownDescription: "Whether the application runs, for example not at night: " + attrs.EnumText(release.DesiredStates(), mainStateMeaning) + ". " +
			"A deployment that is created or changed while the application is stopped gets no pods, with a warning; its `status` is `stopped`, and its plan is empty. " +
			"Started again, the main deployment gets the pods back that it had, and the apply returns when they are healthy. Default: `started`." + attrs.InPlace,
		Validators: []validator.String{attrs.OneOf(release.DesiredStates())},
	}
}

// stopped says that the application shall have no pods.
func (m *model) stopped() bool { return m.DesiredState.ValueString() == string(release.DesiredStopped) }

// refreshState shows where the application is other than the state says: on any
// cluster.
func (m *model) refreshState(observed []observe.Main) {
	for _, o := range observed {
		if o.Main == nil || o.Main.Stopped() == m.stopped() {
			continue
		}
		m.DesiredState = types.StringNull()
		if o.Main.Stopped() {
			m.DesiredState = types.StringValue(string(release.DesiredStopped))
		}
		return
	}
}
