package attrs

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/int32validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// RolloutAttribute is how a change goes over a resource's clusters. What a
// failure means is different from resource to resource: the caller says it.
func RolloutAttribute(onFailure map[release.FailurePolicy]string, bake string) schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional:            true,
		MarkdownDescription: "How a change goes over the clusters. Default: on all of them at once, and on all or none." + InPlace,
		Attributes: map[string]schema.Attribute{
			"max_parallel": schema.Int32Attribute{
				CustomType:          WholeNumber32{},
				Optional:            true,
				MarkdownDescription: "How many clusters are changed at a time; the next ones begin when these are done. Default: all.",
				Validators:          []validator.Int32{int32validator.AtLeast(1)},
			},
			"order": schema.ListAttribute{
				ElementType:         types.StringType,
				Optional:            true,
				MarkdownDescription: "Names of the clusters that come first, in this order; the others follow by name. It matters where `max_parallel` is below the number of clusters.",
				Validators:          []validator.List{listvalidator.SizeAtLeast(1), listvalidator.NoNullValues(), listvalidator.ValueStringsAre(stringvalidator.LengthAtLeast(1))},
			},
			"bake": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: bake + " A text like `90s` or `5m`. Default: not at all.",
				Validators:          []validator.String{IsPositiveDuration()},
				PlanModifiers:       []planmodifier.String{KeepSameDuration()},
			},
			"on_failure": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "What the failure of one cluster means for the others: " + EnumText(release.FailurePolicies(), onFailure) +
					". Default: `" + string(release.FailureAbort) + "`.",
				Validators: []validator.String{OneOf(release.FailurePolicies())},
			},
			"quorum": schema.Int32Attribute{
				CustomType: WholeNumber32{},
				Optional:   true,
				MarkdownDescription: "With `on_failure = \"" + string(release.FailureContinue) + "\"`: how many clusters must succeed; with fewer, the change has failed as with `" +
					string(release.FailureAbort) + "`. Default: 1.",
				Validators: []validator.Int32{int32validator.AtLeast(1)},
			},
		},
	}
}
