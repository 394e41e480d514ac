package attrs

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/int32validator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// HealthAttribute is `health`.
func HealthAttribute() schema.SingleNestedAttribute {
	duration := func(description string) schema.StringAttribute {
		return schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: description,
			Validators:          []validator.String{IsDuration()},
			PlanModifiers:       []planmodifier.String{KeepSameDuration()},
		}
	}
	deadline := duration("How long the pods may take to become healthy on a cluster, as a text like `90s` or `5m`. What may heal by itself (no node has room, a probe does not pass yet) is waited for until then, and told in the error. Default: what `timeouts` leave.")
	deadline.Validators = []validator.String{IsPositiveDuration()}
	return schema.SingleNestedAttribute{
		Optional:            true,
		MarkdownDescription: "When the pods count as healthy, and when waiting for them ends. The causes and their classes are on the page [Troubleshooting](../guides/troubleshooting.md)." + InPlace,
		Attributes: map[string]schema.Attribute{
			"progress_deadline": deadline,
			"fail_fast_grace": duration("How long a cause that is certain not to heal by itself, such as an image that is not there, must last until it is a failure: registries and admission have moments. `0s`: not at all. Some causes have a longer time of their own, such as a readiness probe that is answered 404; the longer of the two counts. " +
				"Default: `" + release.DurationText(release.DefaultFailFastGrace) + "`."),
			"crash_limit": schema.Int32Attribute{
				CustomType:          WholeNumber32{},
				Optional:            true,
				MarkdownDescription: fmt.Sprintf("How many restarts of a container that ends again and again are a failure. Default: %d.", release.DefaultCrashLimit),
				Validators:          []validator.Int32{int32validator.AtLeast(1)},
			},
			"min_ready": duration("How long a pod must have been ready without a break before it counts, in whole seconds (`minReadySeconds` of the workload). Default: `0s`."),
			"log_tail": schema.Int32Attribute{
				CustomType: WholeNumber32{},
				Optional:   true,
				MarkdownDescription: fmt.Sprintf("How many of the last lines of a failed container's log the error shows, at most %d; of a short log the first line, too. What looks like a credential is masked. 0: no log is read. Default: %d.",
					release.MaxLogTail, release.DefaultLogTail),
				Validators: []validator.Int32{int32validator.Between(0, release.MaxLogTail)},
			},
		},
	}
}
