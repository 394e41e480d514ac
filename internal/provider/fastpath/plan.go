package fastpath

import (
	"bytes"
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// Unchanged is a plan whose proposed state is the prior one, with every default
// that its configuration asks for.
type Unchanged struct {
	Config, State Object
	Private       Private
}

// Settler is a resource that can tell that such a plan has nothing to do.
type Settler interface {
	resource.Resource

	// Settled says that ModifyPlan would leave the plan as it is, and say nothing. It
	// decides by what ModifyPlan decides by, and leaves in private state, and for
	// other resources of the run, what ModifyPlan leaves there.
	Settled(ctx context.Context, plan Unchanged) bool
}

// PlanResourceChange answers with what came in where nothing is to be done, and lets
// the resource plan what is.
func (s *server) PlanResourceChange(ctx context.Context, req *tfprotov6.PlanResourceChangeRequest) (*tfprotov6.PlanResourceChangeResponse, error) {
	if resp := s.unchanged(ctx, req); resp != nil {
		return resp, nil
	}
	if resp := s.planned(ctx, req); resp != nil {
		return resp, nil
	}
	return s.framework.PlanResourceChange(ctx, req)
}

// unchanged is the answer to a plan that changes nothing; nil where that is not
// certain.
func (s *server) unchanged(ctx context.Context, req *tfprotov6.PlanResourceChangeRequest) *tfprotov6.PlanResourceChangeResponse {
	res, ok := s.configured(req.TypeName).(Settler)
	if !ok || req.ProviderMeta != nil && !isNull(req.ProviderMeta) || req.PriorState == nil || req.ProposedNewState == nil ||
		len(req.PriorState.MsgPack) == 0 || !bytes.Equal(req.PriorState.MsgPack, req.ProposedNewState.MsgPack) {
		return nil
	}
	t := s.types[req.TypeName]
	plan, ok := unchangedPlan(req)
	if !ok || !t.plain() || !t.hasDefaults(plan) || !res.Settled(ctx, plan) {
		return nil
	}
	private, err := plan.Private.bytes()
	if err != nil {
		return nil
	}
	return &tfprotov6.PlanResourceChangeResponse{PlannedState: req.ProposedNewState, PlannedPrivate: private, PlannedIdentity: t.identity(req.PriorIdentity)}
}

func unchangedPlan(req *tfprotov6.PlanResourceChangeRequest) (plan Unchanged, ok bool) {
	if plan.State, ok = objectOf(req.PriorState); !ok {
		return plan, false
	}
	if plan.Config, ok = objectOf(req.Config); !ok {
		return plan, false
	}
	plan.Private, ok = privateOf(req.PriorPrivate)
	return plan, ok
}

// hasDefaults says that the state has what the configuration leaves to the schema.
func (t *resourceType) hasDefaults(plan Unchanged) bool {
	form := t.form().AttributeTypes
	for name, part := range t.shape().parts {
		if !part.defaults {
			continue
		}
		config, err := plan.Config.value(name, form[name])
		if err != nil {
			return false
		}
		if !config.IsNull() && len(part.parts) == 0 {
			continue
		}
		prior, err := plan.State.value(name, form[name])
		if err != nil || !part.holds(config, prior) {
			return false
		}
	}
	return true
}

func isNull(v *tfprotov6.DynamicValue) bool {
	null, err := v.IsNull()
	return err == nil && null
}
