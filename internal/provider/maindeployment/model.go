package maindeployment

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/address"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// model is switchback_main_deployment in configuration, plan and
// state: an address, and what a member of a group does not have.
type model struct {
	address.Model

	DesiredState types.String `tfsdk:"desired_state"`

	Bake     types.String   `tfsdk:"bake"`
	Rollout  types.Object   `tfsdk:"rollout"`
	DNS      types.Object   `tfsdk:"dns"`
	Timeouts timeouts.Value `tfsdk:"timeouts"`

	DNSRecords types.List   `tfsdk:"dns_records"`
	URLs       types.Object `tfsdk:"urls"`
}

var mainDeploymentTypes = sync.OnceValue(func() map[string]attr.Type {
	return attrs.AttributeTypes(mainDeploymentSchema(context.Background()))
})

// newModel has a null of the right type in every field, as
// tfsdk.State.Set demands.
func newModel() model {
	t := mainDeploymentTypes()
	return model{
		Model:      address.New(),
		Timeouts:   timeouts.Value{Object: types.ObjectNull(t["timeouts"].(timeouts.Type).AttrTypes)},
		Rollout:    types.ObjectNull(t["rollout"].(types.ObjectType).AttrTypes),
		DNS:        types.ObjectNull(attrs.DNSTypes().AttrTypes),
		DNSRecords: types.ListNull(attrs.DNSRecordType()),
		URLs:       types.ObjectNull(t["urls"].(types.ObjectType).AttrTypes),
	}
}

// bakes is the attribute, which validation has checked; 0 where there is none.
func (m *model) bakes() time.Duration {
	d, _ := time.ParseDuration(m.Bake.ValueString())
	return d
}

// request is what the model asks of the engine, less the clusters.
func (m *model) request(ctx context.Context, owner string, diags *diag.Diagnostics) rollout.PromoteRequest {
	asked := m.Request(ctx, owner, diags)
	if !diags.HasError() {
		asked.Stopped = address.Stopped(m.DesiredState)
		asked.Bake, asked.Rollout = m.bakes(), attrs.RolloutOf(ctx, diags, m.Rollout)
		asked.Asked = &release.Asked{
			Bake: m.Bake.ValueString(), RetryToken: m.RetryToken.ValueStringPointer(), Rollout: attrs.AskedRollout(ctx, diags, m.Rollout),
			Canary: address.AskedCanary(ctx, m.Canary, diags),
		}
	}
	return asked
}

// refresh writes who really gets the traffic. It says whether anything of the
// address is left.
func (m *model) refresh(ctx context.Context, observed []observe.Main, diags *diag.Diagnostics) bool {
	if !address.Exists(observed) {
		return false
	}
	m.Refresh(ctx, observed, m.refreshDNS(ctx, observed, diags), diags)
	m.DesiredState = address.StateOf(m.DesiredState, observed)
	address.TellStopped(observed, m.ID.ValueString(), diags)
	address.TellHeld(observed, m.ID.ValueString(), diags)
	m.URLs = m.Model.URLs(ctx)
	return true
}

// rebuild fills an imported resource from what lives.
func (m *model) rebuild(ctx context.Context, observed []observe.Main, diags *diag.Diagnostics) bool {
	exists := m.Rebuild(ctx, "", observed, diags)
	if !diags.HasError() {
		m.rebuildAsked(ctx, observed, diags)
		m.DesiredState = address.StateOf(m.DesiredState, observed)
		m.rebuildDNS(ctx, observed, diags)
		m.URLs = m.Model.URLs(ctx)
	}
	return exists
}

// rebuildAsked takes over what was last asked beside the address. A provider that
// did not remember it has left nothing.
func (m *model) rebuildAsked(ctx context.Context, observed []observe.Main, diags *diag.Diagnostics) {
	asked := observe.Asked(observed)
	if asked == nil {
		return
	}
	m.Bake, m.RetryToken = attrs.TextOrNull(asked.Bake), types.StringPointerValue(asked.RetryToken)
	m.Rollout, m.Canary = attrs.RolloutValue(ctx, diags, asked.Rollout), address.CanaryValue(ctx, asked.Canary, diags)
}

// imported says that only the id is known: Read must rebuild the rest.
func (m *model) imported() bool { return m.DeploymentID.IsNull() }
