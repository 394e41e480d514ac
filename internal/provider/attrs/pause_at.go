package attrs

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/int32validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

var rollGateMeaning = map[release.Gate]string{
	release.GateManual: "the apply ends with the status `" + string(release.StatusPaused) + "`, which is a success; `status_reason` says how to let it go on, and the apply after that does",
}

// pauseAtAttribute is `rolling_update.pause_at`, in the words of `canary.steps`.
func pauseAtAttribute() schema.ListNestedAttribute {
	return schema.ListNestedAttribute{
		Optional: true,
		MarkdownDescription: "Where a change of the content stops on its way: at the first moment when so many pods are new. Those are watched there. When one of them fails, when the apply is interrupted, or when its time is up, all go back to the last good content. " +
			"At most `max_surge` and `max_unavailable` pods more than the share are new, as Kubernetes has begun with these by then. A way back, and a restart, stop nowhere. Default: nowhere.",
		Validators: []validator.List{listvalidator.SizeBetween(1, 20)},
		NestedObject: schema.NestedAttributeObject{Validators: []validator.Object{Requires("percent"), RequiresAny("pause", "gate")}, Attributes: map[string]schema.Attribute{
			"percent": schema.Int32Attribute{
				CustomType: WholeNumber32{}, Optional: true,
				MarkdownDescription: "Percent of the pods that are asked for at that moment, rounded up to whole pods: 1 to 99, and each more than the one before. Required.",
				Validators:          []validator.Int32{int32validator.Between(1, 99)},
			},
			"pause": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "How long the new pods are watched, from when they are ready, as a text like `90s` or `10m`. A pause that does not fit into the rest of `timeouts.update` ends the apply with the status `" +
					string(release.StatusPaused) + "`, which is a success: an apply after its end goes on. This, `gate`, or both.",
				Validators:    []validator.String{IsPositiveDuration()},
				PlanModifiers: []planmodifier.String{KeepSameDuration()},
			},
			"gate": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Who has to say, after the pause, that it may go on: " + EnumText(release.Gates(), rollGateMeaning) + ". Default: nobody.",
				Validators:          []validator.String{OneOf(release.Gates())},
			},
		}},
	}
}
