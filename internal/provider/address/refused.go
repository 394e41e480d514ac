package address

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// A release that somebody has taken the traffic from is refused like one that has failed.
// But nobody is at the terminal who has to be told that something is wrong: whoever plans
// next may want to change something else, and may do so. A refresh notes who is refused,
// and the plan, which follows from the state, leaves the traffic where it is.

// refusedModel is `refused`.
type refusedModel struct {
	DeploymentID types.String `tfsdk:"deployment_id"`
	By           types.String `tfsdk:"by"`
	At           types.String `tfsdk:"at"`
	Reason       types.String `tfsdk:"reason"`
	RetryToken   types.String `tfsdk:"retry_token"`
}

// refusedTypes are the attributes of refused.
var refusedTypes = map[string]attr.Type{
	"deployment_id": types.StringType, "by": types.StringType, "at": types.StringType, "reason": types.StringType, "retry_token": types.StringType,
}

// RefusedAttribute is `refused`.
func RefusedAttribute() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Computed: true,
		MarkdownDescription: "The deployment that somebody has taken the traffic from, by an action such as `switchback_rollback`; else null. As long as the configuration asks for it, " +
			"the plan warns and leaves `deployment_id` as it is, so that everything else can be changed. Ask for another deployment, or change `retry_token`.",
		Attributes: map[string]schema.Attribute{
			"deployment_id": attrs.ComputedString("`id` of the deployment."),
			"by":            attrs.ComputedString("Who asked to go back."),
			"at":            attrs.ComputedString("When, in RFC 3339."),
			"reason":        attrs.ComputedString("What happened, in a sentence."),
			"retry_token":   attrs.ComputedString("The `retry_token` that it was tried with; null where there was none."),
		},
	}
}

// refreshRefused writes who is refused on any of the clusters. One that cannot be read may
// still refuse what it did.
func (m *Model) refreshRefused(observed []observe.Main) {
	silent := slices.ContainsFunc(observed, func(o observe.Main) bool { return o.Err != nil })
	if !silent {
		m.Refused = types.ObjectNull(refusedTypes)
	}
	for _, o := range observed {
		if o.Err != nil || o.Main == nil {
			continue
		}
		now, _ := o.Split.Stable()
		b := o.Main.Refused(now)
		if b == nil {
			continue
		}
		id := m.deployment(b.To)
		parsed, _ := release.ParseID(id.ValueString())
		m.Refused = types.ObjectValueMust(refusedTypes, map[string]attr.Value{
			"deployment_id": id, "by": types.StringValue(mask.Redact(b.By)), "at": types.StringValue(b.At.UTC().Format(time.RFC3339)), "retry_token": attrs.TextOrNull(b.RetryToken),
			"reason": types.StringValue(mask.Redact((&release.TakenBackError{Cluster: o.Cluster, ID: parsed, Breach: *b}).Error())),
		})
		return
	}
}

// refused is what is left of it by an update: another deployment that becomes main lifts it.
func (p *Plan) refused() types.Object {
	if p.Prior.Refused.IsNull() || p.Planned.DeploymentID.Equal(p.Prior.DeploymentID) {
		return p.Prior.Refused
	}
	return types.ObjectUnknown(refusedTypes)
}

// IsRefused says that the configuration asks for a deployment that somebody has taken the
// traffic from, and not to try it once more.
func (p *Plan) IsRefused(ctx context.Context) bool {
	m, prior := &p.Planned, p.Prior
	if prior == nil || prior.Refused.IsNull() || m.DeploymentID.Equal(prior.DeploymentID) || !m.Application.Equal(prior.Application) || !m.Namespace.Equal(prior.Namespace) {
		return false
	}
	left := attrs.Decode[refusedModel](ctx, p.Diags, prior.Refused)
	was := release.Breach{To: nameOf(left.DeploymentID), RetryToken: left.RetryToken.ValueString()}
	return m.DeploymentID.Equal(left.DeploymentID) && (m.RetryToken.IsUnknown() || was.Refuses(was.To, m.RetryToken.ValueString()))
}

// MayBeRefused says that this is not known yet.
func (p *Plan) MayBeRefused() bool {
	return p.Prior != nil && !p.Prior.Refused.IsNull() && p.Planned.DeploymentID.IsUnknown()
}

// keepRefused leaves the traffic where it is where the configuration asks for a deployment
// that somebody has taken it from: Terraform allows what is configured to stay what it was.
func (p *Plan) keepRefused(ctx context.Context) {
	const summary = "Deployment was taken back before"
	m, at := &p.Planned, p.Place.Named("deployment_id")
	switch {
	case p.IsRefused(ctx):
		left := attrs.Decode[refusedModel](ctx, p.Diags, p.Prior.Refused)
		if m.RetryToken.IsUnknown() { // with either answer, Terraform could find another one when it applies
			p.Diags.AddAttributeError(p.Place.Named("retry_token"), "Retry token is not known",
				fmt.Sprintf("Whether %s is tried once more depends on `retry_token`, which is not known before the apply: %s. Give it a text that is known, or apply first what it comes from.", left.DeploymentID.ValueString(), left.Reason.ValueString()))
			return
		}
		m.DeploymentID = p.Prior.DeploymentID
		p.Diags.AddAttributeWarning(at, summary,
			fmt.Sprintf("%s\n\nThe traffic stays with %s, and the rest of this plan can be applied. There are two ways on: ask for another deployment, such as the former version; or change `retry_token`, to try this one once more.",
				explain.Sentence(left.Reason.ValueString()), m.DeploymentID.ValueString()))
	case p.Beside != "" && p.Prior != nil && attrs.Known(m.DeploymentID) && !m.DeploymentID.Equal(p.Prior.DeploymentID):
		m.DeploymentID = p.Prior.DeploymentID
		p.Diags.AddAttributeWarning(at, summary,
			fmt.Sprintf("The members of a group move together, and one that somebody has taken back is asked for of the member %q. The traffic of this member stays with %s, too.", p.Beside, m.DeploymentID.ValueString()))
	}
}
