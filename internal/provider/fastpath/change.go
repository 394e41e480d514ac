package fastpath

import (
	"context"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// Planner is a resource that plans by its ModifyPlan, which looks at no identity.
type Planner interface {
	resource.ResourceWithModifyPlan

	// PlanKeys are the keys of private state that ModifyPlan may write.
	PlanKeys() []string
}

// change is what the framework does about a plan, in one walk for each of its steps
// in place of one for each attribute.
type change struct {
	ctx                 context.Context
	of                  *resourceType
	config, prior, plan tftypes.Value
	private             Private
	replace             path.Paths
	diags               diag.Diagnostics
}

// planned is the answer to a plan that is no question of the framework's; nil where
// it is one.
func (s *server) planned(ctx context.Context, req *tfprotov6.PlanResourceChangeRequest) *tfprotov6.PlanResourceChangeResponse {
	res, ok := s.configured(req.TypeName).(Planner)
	if !ok || req.ProviderMeta != nil && !isNull(req.ProviderMeta) || req.Config == nil || req.PriorState == nil || req.ProposedNewState == nil {
		return nil
	}
	c := &change{ctx: ctx, of: s.types[req.TypeName]}
	if c.private, ok = privateOf(req.PriorPrivate); !ok || !c.of.plain() || !c.read(req) || !c.prepare() {
		return nil
	}
	if !c.diags.HasError() && !c.modify(res, req) {
		return nil
	}
	return c.answer(req)
}

func (c *change) read(req *tfprotov6.PlanResourceChangeRequest) bool {
	for _, one := range []struct {
		wire *tfprotov6.DynamicValue
		into *tftypes.Value
	}{{req.Config, &c.config}, {req.PriorState, &c.prior}, {req.ProposedNewState, &c.plan}} {
		v, err := one.wire.Unmarshal(c.of.form())
		if err != nil {
			return false
		}
		*one.into = v
	}
	return true
}

// prepare fills in defaults, marks as unknown what the resource may compute anew, and
// asks the attributes' plan modifiers. It is false where that is the framework's.
func (c *change) prepare() bool {
	if c.plan.IsNull() {
		return true
	}
	root := c.of.shape()
	var ok bool
	if c.plan, ok = root.each(c.config, c.plan, (*shape).withDefault); !ok {
		return false
	}
	if !c.plan.Equal(c.prior) {
		if c.plan, ok = root.each(c.config, c.plan, (*shape).unlessConfigured); !ok {
			return false
		}
	}
	c.plan = c.ask(root, path.Empty(), c.config, c.plan, c.prior)
	return true
}

// modify is the resource's part.
func (c *change) modify(res Planner, req *tfprotov6.PlanResourceChangeRequest) bool {
	schema := c.of.schema()
	asked := resource.ModifyPlanRequest{
		Config: tfsdk.Config{Raw: c.config, Schema: schema},
		Plan:   tfsdk.Plan{Raw: c.plan, Schema: schema},
		State:  tfsdk.State{Raw: c.prior, Schema: schema},
	}
	if may := req.ClientCapabilities; may != nil {
		asked.ClientCapabilities.DeferralAllowed = may.DeferralAllowed
	}
	resp := resource.ModifyPlanResponse{Plan: asked.Plan, RequiresReplace: path.Paths{}, Diagnostics: c.diags}
	resp.Private = newOf(resp.Private)
	for key, value := range c.private {
		if resp.Private.SetKey(c.ctx, key, value).HasError() {
			return false
		}
	}
	asked.Private = resp.Private
	res.ModifyPlan(c.ctx, asked, &resp)
	for _, key := range res.PlanKeys() {
		value, diags := resp.Private.GetKey(c.ctx, key)
		if c.private[key] = value; len(value) == 0 {
			delete(c.private, key)
		}
		resp.Diagnostics.Append(diags...)
	}
	c.diags, c.plan, c.replace = resp.Diagnostics, resp.Plan.Raw, append(c.replace, resp.RequiresReplace...)
	return resp.Deferred == nil
}

// newOf is a new one of a type that only the framework can name.
func newOf[T any](*T) *T { return new(T) }

func (c *change) answer(req *tfprotov6.PlanResourceChangeRequest) *tfprotov6.PlanResourceChangeResponse {
	plan, err := tfprotov6.NewDynamicValue(c.of.form(), c.plan)
	private, err2 := c.private.bytes()
	if err != nil || err2 != nil {
		return nil
	}
	resp := &tfprotov6.PlanResourceChangeResponse{PlannedState: &plan, PlannedPrivate: private, PlannedIdentity: c.of.identity(req.PriorIdentity)}
	resp.Diagnostics = toldOf(c.ctx, c.diags)
	slices.SortFunc(c.replace, func(a, b path.Path) int { return strings.Compare(a.String(), b.String()) })
	for _, at := range slices.CompactFunc(c.replace, path.Path.Equal) {
		resp.RequiresReplace = append(resp.RequiresReplace, wirePath(c.ctx, at))
	}
	return resp
}

// identity is what a plan says of an identity: what came in, and that there is none
// yet where nothing did.
func (t *resourceType) identity(prior *tfprotov6.ResourceIdentityData) *tfprotov6.ResourceIdentityData {
	if prior == nil && t.identifies {
		return &tfprotov6.ResourceIdentityData{IdentityData: &tfprotov6.DynamicValue{MsgPack: []byte{msgpcode.Nil}}}
	}
	return prior
}
