package provider

import "github.com/hashicorp/terraform-plugin-framework/resource/schema"

func autoscalingAttribute() schema.Attribute {
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "Lets a HorizontalPodAutoscaler choose the number of pods, on each cluster for itself. `replicas` is then what the deployment " +
			"starts with, and no difference afterwards. One that is to follow a main deployment starts with as many pods as that has by then, up to `max`, so that " +
			"the traffic finds as many as it left. The autoscaler goes by the application's own container, which must request what is a target. " +
			"It needs metrics in the cluster, such as those of metrics-server." + inPlace,
		Attributes: map[string]schema.Attribute{
			"min": schema.Int32Attribute{CustomType: wholeNumber32{}, Required: true, MarkdownDescription: "The fewest pods, at least 1."},
			"max": schema.Int32Attribute{CustomType: wholeNumber32{}, Required: true, MarkdownDescription: "The most pods."},
			"cpu": schema.Int32Attribute{
				CustomType:          wholeNumber32{},
				Optional:            true,
				MarkdownDescription: "Target for the average use of CPU, in percent of `container.resources.requests.cpu`.",
			},
			"memory": schema.Int32Attribute{
				CustomType:          wholeNumber32{},
				Optional:            true,
				MarkdownDescription: "Target for the average use of memory, in percent of `container.resources.requests.memory`.",
			},
		},
	}
}
