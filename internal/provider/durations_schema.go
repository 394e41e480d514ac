package provider

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/float64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// budgetAttribute is `duration_budget`.
func budgetAttribute() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "How long a change may take until there is a warning, which names the part that took longest and what makes it shorter. Nothing fails because of it: that is what `timeouts` are for. " +
			"At least one of the two is given." + attrs.InPlace,
		Attributes: map[string]schema.Attribute{
			"total": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "The whole, as `durations.total`: a text like `90s` or `2m`.",
				Validators: []validator.String{
					attrs.IsPositiveDuration(), stringvalidator.AtLeastOneOf(path.MatchRelative().AtParent().AtName("factor")),
				},
				PlanModifiers: []planmodifier.String{attrs.KeepSameDuration()},
			},
			"factor": schema.Float64Attribute{
				Optional: true,
				MarkdownDescription: fmt.Sprintf("How many times as long as the median of the application's last releases on the same cluster, such as `2`: at least 1. It takes %d of them, and looks at no more than %d; "+
					"those that were found again, and started no pods, do not count.", release.BudgetFewest, release.BudgetMost),
				Validators: []validator.Float64{float64validator.AtLeast(1)},
			},
		},
	}
}
