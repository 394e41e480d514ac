package deploymentgroup

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/int32validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/objectdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/address"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// failureTypes are the attributes of failure.
var failureTypes = map[string]attr.Type{"scope": types.StringType}

// scopeMeaning documents failure.scope.
var scopeMeaning = map[release.FailureScope]string{
	release.ScopeGroup:  "every member that has moved goes back, the last one first",
	release.ScopeWave:   "the members of that wave go back; earlier waves stay, later ones do not begin",
	release.ScopeMember: "only that member goes back; those that are to come `after` it do not begin, and the others go on",
}

// deploymentGroupSchema takes what a member has in common with a main deployment
// from package address, so that the two cannot differ.
func deploymentGroupSchema(ctx context.Context) schema.Schema {
	return schema.Schema{
		MarkdownDescription: "One promotion of several applications, or of one application over several clusters, wave by wave. " +
			"No traffic moves before the new deployments of all members are ready. When one fails, those that have moved go back, the last one first; nothing of the old side is let go of before every wave has proved itself.\n\n" +
			"A group holds the addresses of its members: an application has either a `switchback_main_deployment` or a place in a group. " +
			"Deleting the group removes its members' addresses; taking a member out of `members` removes that one. " +
			"The guide [Groups and waves](../guides/groups-and-waves.md) says how an application goes from one to the other while it serves.",
		Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "Name of the group, for people: it is in messages, in the history, and in what is remembered of each address." + attrs.InPlace,
				Validators:          groupName(),
			},
			"members": schema.MapNestedAttribute{
				Required:            true,
				MarkdownDescription: "What moves together, by names that `waves` and `after` use. A member is one application on some clusters; two may be the same application on different clusters." + attrs.InPlace,
				Validators:          []validator.Map{mapvalidator.SizeAtLeast(1), mapvalidator.KeysAre(groupName()...)},
				NestedObject:        schema.NestedAttributeObject{Attributes: memberAttributes()},
			},
			"clusters": attrs.ClustersAttribute("Names of the clusters on which members have their addresses, unless they name their own."),
			"waves": schema.ListNestedAttribute{
				Optional:            true,
				MarkdownDescription: "The order in which members move. Every member is in exactly one wave. Default: one wave of all, without `bake`." + attrs.InPlace,
				Validators:          []validator.List{listvalidator.SizeAtLeast(1)},
				NestedObject:        schema.NestedAttributeObject{Attributes: waveAttributes()},
			},
			"failure": schema.SingleNestedAttribute{
				Optional: true,
				Computed: true,
				Default: objectdefault.StaticValue(types.ObjectValueMust(failureTypes, map[string]attr.Value{
					"scope": types.StringValue(string(release.ScopeGroup)),
				})),
				MarkdownDescription: "What goes back when a member fails." + attrs.InPlace,
				Attributes: map[string]schema.Attribute{
					"scope": schema.StringAttribute{
						Optional: true,
						Computed: true,
						Default:  stringdefault.StaticString(string(release.ScopeGroup)),
						MarkdownDescription: attrs.EnumText(release.FailureScopes(), scopeMeaning) + ". Default: `" + string(release.ScopeGroup) + "`. " +
							"A create goes back as a whole, and so does whatever is interrupted." + attrs.InPlace,
						Validators: []validator.String{attrs.OneOf(release.FailureScopes())},
					},
				},
			},
			"canary": address.CanaryAttribute("The traffic of those members that have `traffic.gateway` moves by shares of it that grow. All members of a wave have one share before any of them gets the next; a member without a route moves when the others get all. " +
				"What fails of one takes back what `failure` says. A pause is of the group as a whole, and so is what ends it. A member that goes back to a former main deployment waits for none."),
			"desired_state":       address.DesiredStateAttribute("the members' applications"),
			"keep_previous":       address.KeepPreviousAttribute(),
			"drain":               address.DrainAttribute(),
			"retry_token":         address.RetryTokenAttribute(),
			"abandon_unreachable": attrs.AbandonAttribute(),
			"timeouts":            attrs.TimeoutsAttribute(ctx, "until the traffic has moved and the old side is let go, beside the time for `bake`", ", and the pauses of all waves"),

			"id":    attrs.ComputedString("The group's name. The import id is `<namespace>/<name>`, with the namespace of the members; the first one by name where they are in several."),
			"owner": attrs.ComputedString("Token of the claim by which this state holds the members' addresses. Whoever claims one of them later makes it stale there: then this state can no longer change or remove that one."),
			"status": attrs.ComputedString(fmt.Sprintf("How far the last promotion came. It follows from the members' statuses: `%s` when all of them are; one that failed, was cancelled or went back by itself shows. Unfinished work is planned back to `%s`, in place. All are on the page [Statuses](../guides/statuses.md).",
				release.MainFinalized, release.MainFinalized)),
			"status_reason": attrs.ComputedString("Why `status` is what it is, where there is something to say."),
			"drift":         attrs.DriftAttribute(),
			"plan_summary":  summaryAttribute(),
		},
	}
}

// memberAttributes are those of one member.
func memberAttributes() map[string]schema.Attribute {
	keep := address.KeepPreviousAttribute()
	keep.Default, keep.Computed = nil, false
	keep.MarkdownDescription = "What stays of this member's former main deployments. Default: the group's `keep_previous`." + attrs.InPlace
	drain := address.DrainAttribute()
	drain.Default, drain.Computed = nil, false
	drain.MarkdownDescription = "How long both sides of this member keep running after a verified switch. Default: the group's `drain`." + attrs.InPlace
	return map[string]schema.Attribute{
		"deployment_id": schema.StringAttribute{
			Required: true,
			MarkdownDescription: "The deployment that gets the traffic: `id` of a `switchback_deployment`. It says which application the member is. " +
				"After a refresh it is the one that has all the traffic, whoever moved it." + attrs.InPlace,
		},
		"traffic": address.TrafficAttribute(),
		"clusters": schema.SetAttribute{
			ElementType:         types.StringType,
			Optional:            true,
			MarkdownDescription: "Names of the clusters that have this member's address. Default: the group's `clusters`." + attrs.InPlace,
			Validators:          []validator.Set{setvalidator.SizeAtLeast(1), setvalidator.NoNullValues()},
		},
		"after": schema.SetAttribute{
			ElementType:         types.StringType,
			Optional:            true,
			MarkdownDescription: "Members that move before this one, of the same wave or an earlier one. It says when a member moves, not that one cannot do without the other." + attrs.InPlace,
			Validators:          []validator.Set{setvalidator.NoNullValues()},
		},
		"keep_previous": keep,
		"drain":         drain,

		"previous_deployment_id": address.PreviousAttribute(),
		"url":                    address.URLAttribute(),
		"split":                  address.SplitAttribute(),
		"status":                 attrs.ComputedString("How far this member's last promotion came."),
		"retained":               address.RetainedAttribute(),
		"plan_summary":           address.SummaryAttribute(),
		"refused":                address.RefusedAttribute(),
		"stopped_by":             address.StoppedByAttribute(),
	}
}

func waveAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"members": schema.SetAttribute{
			ElementType:         types.StringType,
			Required:            true,
			MarkdownDescription: "Names of the members that move in this wave." + attrs.InPlace,
			Validators:          []validator.Set{setvalidator.SizeAtLeast(1), setvalidator.NoNullValues()},
		},
		"bake": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "How long the members that have moved are watched before the next wave begins, as a text like `5m`. Default: not at all. " +
				"It comes on top of `timeouts`." + attrs.InPlace,
			Validators:    []validator.String{attrs.IsDuration()},
			PlanModifiers: []planmodifier.String{attrs.KeepSameDuration()},
		},
		"max_parallel": schema.Int32Attribute{
			CustomType:          attrs.WholeNumber32{},
			Optional:            true,
			MarkdownDescription: "How many members of the wave move at once, in the order of their names. Default: all that need not come `after` another." + attrs.InPlace,
			Validators:          []validator.Int32{int32validator.AtLeast(1)},
		},
	}
}

func groupName() []validator.String {
	return []validator.String{
		stringvalidator.LengthBetween(1, 63),
		stringvalidator.RegexMatches(attrs.DNS1123, "must be lower case letters, digits and -, and neither begin nor end with -"),
	}
}
