package diagnosis

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
)

var stateMeaning = map[health.State]string{
	health.Healthy:     "every pod is ready",
	health.Progressing: "not yet, and it may become so by itself",
	health.Failed:      "waiting does not help",
}

var classMeaning = map[health.Class]string{
	health.Certain:  "waiting does not help",
	health.Repeated: "it happened so often that it will go on",
	health.Patient:  "it may heal by itself",
	health.Warning:  "it keeps nothing from being healthy",
}

func diagnosisSchema() schema.Schema {
	deployment, namespace := path.MatchRoot("deployment"), path.MatchRoot("namespace")
	workload, selector := path.MatchRoot("workload"), path.MatchRoot("selector")
	texts := func(description string) schema.ListAttribute {
		return schema.ListAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: description}
	}
	return schema.Schema{
		MarkdownDescription: "Whether something runs as it should, and if not, why: the verdict that a create waits for, with its findings, at any time and of anything. " +
			"Give the `deployment`, or a `namespace` with a `workload` or a `selector`: these need not be Switchback's. All causes are on the page " +
			"[Troubleshooting](../guides/troubleshooting.md). What looks like a credential is masked. " + session.ReadAnew,
		Attributes: map[string]schema.Attribute{
			"deployment": schema.StringAttribute{
				Optional: true, Validators: []validator.String{stringvalidator.ExactlyOneOf(deployment, workload, selector)},
				MarkdownDescription: "A deployment of Switchback's: `id` of a `switchback_deployment`, `<namespace>/<name>`, whoever manages it.",
			},
			"namespace": schema.StringAttribute{
				Optional: true, Validators: append(attrs.NamespaceName(), stringvalidator.ConflictsWith(deployment)),
				MarkdownDescription: "Namespace of `workload`, or of what `selector` selects.",
			},
			"workload": schema.StringAttribute{
				Optional: true, Validators: []validator.String{stringvalidator.LengthBetween(1, 253), stringvalidator.AlsoRequires(namespace)},
				MarkdownDescription: "Name of any Kubernetes Deployment.",
			},
			"selector": schema.StringAttribute{
				Optional: true, Validators: []validator.String{isSelector{}, stringvalidator.AlsoRequires(namespace)},
				MarkdownDescription: "A label selector of any pods, as in `app=web,tier!=cache`. They are judged by themselves: healthy is where each is ready, or has done its work.",
			},
			"clusters": attrs.DataClustersAttribute(),
			"verdict":  attrs.DataString("How it is: " + attrs.EnumText(health.States(), stateMeaning) + ". Where clusters differ: `failed` where it is on one of them, `healthy` where it is on all. A cluster that does not have it has no part in this."),
			"ready":    attrs.DataInt("How many pods are ready, on all clusters together."),
			"want":     attrs.DataInt("How many there should be."),
			"text":     attrs.DataString("The verdict and its findings as a text of at most a screen, for the `error_message` of a condition."),
			"findings": schema.ListNestedAttribute{
				Computed: true, MarkdownDescription: "Why, the most likely cause first. Without any there is nothing to say.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"clusters":  texts("Names of the clusters that have it."),
					"cause":     attrs.DataString("The cause, a word of the page [Troubleshooting](../guides/troubleshooting.md)."),
					"class":     attrs.DataString("How sure it is: " + attrs.EnumText(health.Classes(), classMeaning) + "."),
					"object":    attrs.DataString("The first object that it concerns, as in `pod web-1`."),
					"container": attrs.DataString("The container that it concerns; null for none."),
					"sentence":  attrs.DataString("What is wrong."),
					"evidence":  attrs.DataString("What the cluster says about it, verbatim; null where it says nothing."),
					"hint":      attrs.DataString("What to do; null where nothing is known."),
					"affected":  attrs.DataInt("How many pods it concerns; null where it is not about pods."),
					"of":        attrs.DataInt("Of how many pods; null where it is not about pods."),
					"log":       attrs.DataString("The end of the log that shows more; null where none does, or it may not be read."),
				}},
			},
			"unread": texts("What would have explained more, but could not be read, and why."),
			"by_cluster": schema.MapNestedAttribute{
				Computed: true, MarkdownDescription: "The same in short, by the name of the cluster.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"verdict": attrs.DataString("How it is there."),
					"ready":   attrs.DataInt("How many pods are ready."),
					"want":    attrs.DataInt("How many there should be."),
					"causes":  texts("The causes of `findings` that are true there."),
					"unread":  texts("The kinds of what could not be read there."),
				}},
			},
		},
	}
}

// isSelector accepts label selectors.
type isSelector struct{}

func (isSelector) Description(context.Context) string { return "a label selector" }

func (v isSelector) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (isSelector) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	selector, err := labels.Parse(req.ConfigValue.ValueString())
	switch {
	case err != nil:
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid label selector", explain.Sentence(err.Error()))
	case selector.Empty():
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid label selector", "It selects every pod of the namespace. Say which are meant, as in app=web.")
	}
}
