package session

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
)

// ActionConfig is the configuration of an action on applications or deployments. What the
// action has no attribute for is null.
type ActionConfig struct {
	DeploymentID types.String

	// Namespace and Application name one application; Environment and Selector, in place of
	// its name, stand for all of the namespace that match.
	Namespace, Application, Environment, Selector types.String

	Clusters        types.Set
	Reason, Timeout types.String
}

// ActionConfigOf reads it.
func ActionConfigOf(ctx context.Context, config tfsdk.Config, diags *diag.Diagnostics) (c ActionConfig) {
	has := config.Schema.GetAttributes()
	for name, target := range map[string]any{
		"deployment_id": &c.DeploymentID, "namespace": &c.Namespace, "application": &c.Application, "environment": &c.Environment, "selector": &c.Selector,
		"clusters": &c.Clusters, "reason": &c.Reason, "timeout": &c.Timeout,
	} {
		if has[name] != nil {
			diags.Append(config.GetAttribute(ctx, path.Root(name), target)...)
		}
	}
	return c
}

// ActionAttributes are those of an action on applications: how they are meant, and what every
// action has. application says what the one that is named must have, clusters on which ones
// the action acts where none is named.
func ActionAttributes(application, clusters string) map[string]schema.Attribute {
	named := []validator.String{stringvalidator.LengthAtLeast(1)}
	return map[string]schema.Attribute{
		"namespace":   schema.StringAttribute{Required: true, MarkdownDescription: "Kubernetes namespace.", Validators: named},
		"application": schema.StringAttribute{Optional: true, MarkdownDescription: "Name of the application. " + application + " In its place, `environment` and `selector` stand for several.", Validators: named},
		"environment": schema.StringAttribute{
			Optional: true, Validators: named,
			MarkdownDescription: "In place of `application`: all applications of the namespace whose address leads to a deployment of this environment, one after the other, in the order of their groups. " +
				"What becomes of each is told; one that fails does not keep the others from being done. Where a cluster cannot be read, nothing is done.",
		},
		"selector": schema.StringAttribute{
			Optional: true, Validators: []validator.String{selectorValidator{}},
			MarkdownDescription: "The same for all that have a deployment whose labels, or those of its pods, match: a label selector such as `team=payments`. With `environment`, both must hold of it.",
		},
		"clusters": ActionClusters(clusters),
		"reason":   ActionReason(),
		"timeout":  ActionTimeout("each application"),
	}
}

// Several says that the action is about all applications that match.
func (c ActionConfig) Several() bool { return !c.Environment.IsNull() || !c.Selector.IsNull() }

// matching is what they match. Its selector has been checked.
func (c ActionConfig) matching() observe.Matching {
	m := observe.Matching{Namespace: c.Namespace.ValueString(), Environment: c.Environment.ValueString()}
	if !c.Selector.IsNull() {
		m.Labels, _ = labels.Parse(c.Selector.ValueString())
	}
	return m
}

// matches says what they match, as the end of a sentence.
func (c ActionConfig) matches() string {
	var has []string
	if !c.Environment.IsNull() {
		has = append(has, fmt.Sprintf("is of environment %q", c.Environment.ValueString()))
	}
	if !c.Selector.IsNull() {
		has = append(has, fmt.Sprintf("has labels that match %q", c.Selector.ValueString()))
	}
	return "a deployment that " + strings.Join(has, " and ")
}

// CheckApplications finds what does not say, or says twice, which applications are meant.
// What is not known yet may be anything.
func (c ActionConfig) CheckApplications() (diags diag.Diagnostics) {
	if c.Application.IsNull() && !c.Several() {
		diags.AddAttributeError(path.Root("application"), "No application",
			"Name one in `application`, or say by `environment`, `selector` or both which ones of the namespace are meant.")
	}
	for name, one := range map[string]types.String{"environment": c.Environment, "selector": c.Selector} {
		if attrs.Known(c.Application) && attrs.Known(one) {
			diags.AddAttributeError(path.Root(name), "One application, or several",
				fmt.Sprintf("`application` names one, and `%s` stands for all that match: they exclude each other. Remove one of the two.", name))
		}
	}
	return diags
}

// CheckDeploymentOfOne finds a deployment that is named where several applications are meant,
// or that is none of the one that is.
func (c ActionConfig) CheckDeploymentOfOne() (diags diag.Diagnostics) {
	if attrs.Known(c.DeploymentID) && (attrs.Known(c.Environment) || attrs.Known(c.Selector)) {
		diags.AddAttributeError(path.Root("deployment_id"), "Deployment of one application",
			"`deployment_id` names a deployment of one application: name that one in `application`, in place of `environment` and `selector`; or remove it.")
		return diags
	}
	return attrs.CheckDeploymentID(path.Root("deployment_id"), c.DeploymentID, c.Namespace, c.Application)
}

// CheckOneWay finds what says in no way, or in two, what an action on either a deployment or
// applications is about.
func (c ActionConfig) CheckOneWay() (diags diag.Diagnostics) {
	others := map[string]types.String{"namespace": c.Namespace, "application": c.Application, "environment": c.Environment, "selector": c.Selector}
	if !c.DeploymentID.IsNull() {
		for name, one := range others {
			if attrs.Known(c.DeploymentID) && attrs.Known(one) {
				diags.AddAttributeError(path.Root(name), "One deployment, or applications",
					fmt.Sprintf("`deployment_id` names one deployment, and `%s` is about applications: they exclude each other. Remove one of the two.", name))
			}
		}
		diags.Append(attrs.CheckDeploymentID(path.Root("deployment_id"), c.DeploymentID, types.StringNull(), types.StringNull())...)
		return diags
	}
	if c.Namespace.IsNull() && c.Application.IsNull() && !c.Several() {
		diags.AddAttributeError(path.Root("deployment_id"), "No deployment and no application",
			"Name a deployment in `deployment_id`; or a `namespace`, and in it one `application`, or those that `environment` and `selector` stand for.")
		return diags
	}
	if c.Namespace.IsNull() {
		diags.AddAttributeError(path.Root("namespace"), "No namespace", "Say in which namespace the applications are.")
	}
	diags.Append(c.CheckApplications()...)
	return diags
}
