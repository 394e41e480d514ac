package session

import (
	"context"
	"encoding/json"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// membersKey is what a plan leaves in private state beside destroyKey: the
// addresses that the group shall have, by member.
const membersKey = "members"

// RememberMembers is for every plan but that of a destroy.
func RememberMembers(ctx context.Context, resp *resource.ModifyPlanResponse, addresses map[string]string) {
	resp.Diagnostics.Append(resp.Private.SetKey(ctx, destroyKey, nil)...)
	text, err := membersMark(addresses)
	if err != nil { // a map of strings: cannot happen
		resp.Diagnostics.AddError("Members cannot be remembered", explain.Sentence(err.Error()))
		return
	}
	resp.Diagnostics.Append(resp.Private.SetKey(ctx, membersKey, text)...)
}

// MarkMembers writes into private state what RememberMembers does.
func MarkMembers(private map[string][]byte, addresses map[string]string) (ok bool) {
	text, err := membersMark(addresses)
	delete(private, destroyKey)
	private[membersKey] = text
	return err == nil
}

func membersMark(addresses map[string]string) ([]byte, error) { return json.Marshal(addresses) }

// ReplacedMembers are the addresses, by id, that stay when a group's Delete is
// one half of a replacement; none where it is not.
func ReplacedMembers(ctx context.Context, private privateState) (map[string]bool, diag.Diagnostics) {
	destroy, diags := private.GetKey(ctx, destroyKey)
	planned, more := private.GetKey(ctx, membersKey)
	diags.Append(more...)
	addresses, stay := map[string]string{}, map[string]bool{}
	if destroy != nil || planned == nil || json.Unmarshal(planned, &addresses) != nil {
		return nil, diags
	}
	for _, id := range addresses {
		stay[id] = true
	}
	return stay, diags
}

// What a plan leaves in private state for Delete, which cannot otherwise tell
// a real destroy from the delete half of a replacement: only the plan of a real
// destroy sets destroyKey. The planned application, with its namespace, then says
// whether the other half is of the same one. The planned companions are those of
// that half: where it comes second, what it needs is asked for with the first.
const (
	destroyKey     = "destroy"
	applicationKey = "application"
	companionsKey  = "companions"
)

// PlanKeys are what a plan may leave in private state.
func (s *Session) PlanKeys() []string {
	return []string{destroyKey, applicationKey, companionsKey, membersKey}
}

// RememberDestroy is for a plan to destroy.
func RememberDestroy(ctx context.Context, resp *resource.ModifyPlanResponse) {
	resp.Diagnostics.Append(resp.Private.SetKey(ctx, destroyKey, []byte("true"))...)
}

// RememberApplication is for every other plan. It also takes back the mark of
// a destroy that was planned and then failed.
func RememberApplication(ctx context.Context, resp *resource.ModifyPlanResponse, namespace, application types.String) {
	resp.Diagnostics.Append(resp.Private.SetKey(ctx, destroyKey, nil)...)
	if namespace.IsUnknown() || application.IsUnknown() {
		return
	}
	text, err := applicationMark(namespace, application)
	if err != nil { // a string: cannot happen
		resp.Diagnostics.AddError("Application cannot be remembered", explain.Sentence(err.Error()))
		return
	}
	resp.Diagnostics.Append(resp.Private.SetKey(ctx, applicationKey, text)...)
}

// MarkApplication writes into private state what RememberApplication does, where both
// are known.
func MarkApplication(private map[string][]byte, namespace, application types.String) (ok bool) {
	text, err := applicationMark(namespace, application)
	delete(private, destroyKey)
	private[applicationKey] = text
	return err == nil
}

func applicationMark(namespace, application types.String) ([]byte, error) {
	return json.Marshal(attrs.MainID(namespace.ValueString(), application.ValueString()))
}

// RememberCompanions is for the plan of a deployment whose inputs are known.
func RememberCompanions(ctx context.Context, resp *resource.ModifyPlanResponse, spec release.Spec) {
	text, err := companionsMark(spec)
	if err != nil { // strings: cannot happen
		resp.Diagnostics.AddError("Companions cannot be remembered", explain.Sentence(err.Error()))
		return
	}
	resp.Diagnostics.Append(resp.Private.SetKey(ctx, companionsKey, text)...)
}

// MarkCompanions writes into private state what RememberCompanions does.
func MarkCompanions(private map[string][]byte, spec release.Spec) (ok bool) {
	text, err := companionsMark(spec)
	private[companionsKey] = text
	return err == nil
}

func companionsMark(spec release.Spec) ([]byte, error) { return json.Marshal(spec.Companions()) }

// PlannedCompanions are those of the other half of a replacement; none where they
// were not known.
func PlannedCompanions(ctx context.Context, private privateState) ([]release.Companion, diag.Diagnostics) {
	text, diags := private.GetKey(ctx, companionsKey)
	var planned []release.Companion
	if text != nil && json.Unmarshal(text, &planned) != nil {
		return nil, diags
	}
	return planned, diags
}

// privateState is what Delete's request has.
type privateState interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
}

// SecondHalf says that a plan of something new is the second one of a replacement: it
// comes with what the first one has left in private state. Ask before it is written to.
func SecondHalf(ctx context.Context, req resource.ModifyPlanRequest) bool {
	if !req.State.Raw.IsNull() || req.Private == nil {
		return false
	}
	first, diags := req.Private.GetKey(ctx, applicationKey)
	return first != nil && !diags.HasError()
}

// HalfOfReplacement says that a Delete is one half of the replacement of the
// same application. It is false where the plan's marks are lost, as they are
// for a tainted object that is replaced.
func HalfOfReplacement(ctx context.Context, private privateState, namespace, application string) (bool, diag.Diagnostics) {
	destroy, diags := private.GetKey(ctx, destroyKey)
	planned, more := private.GetKey(ctx, applicationKey)
	diags.Append(more...)
	var id string
	if destroy != nil || planned == nil || json.Unmarshal(planned, &id) != nil {
		return false, diags
	}
	return id == attrs.MainID(namespace, application), diags
}
