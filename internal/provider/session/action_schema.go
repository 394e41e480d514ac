package session

import (
	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
)

// ActionNeeds is what every action needs of a CLI, for the documentation.
const ActionNeeds = "\n\nActions need Terraform 1.14 or later: `terraform apply -invoke=action.<type>.<name>`, or an `action_trigger`. " +
	"They change what runs, never the configuration or the state: "

// defaultActionTimeout is for an action that says nothing.
const defaultActionTimeout = "10m"

// ActionClusters is `clusters` of an action; otherwise is what it acts on without.
func ActionClusters(otherwise string) schema.SetAttribute {
	return schema.SetAttribute{
		ElementType:         types.StringType,
		Optional:            true,
		MarkdownDescription: "Names of the clusters to act on, of those in the provider's configuration. Default: " + otherwise,
		Validators:          []validator.Set{setvalidator.SizeAtLeast(1), setvalidator.NoNullValues()},
	}
}

// ActionTimeout is `timeout` of an action; what says of what.
func ActionTimeout(what string) schema.StringAttribute {
	return schema.StringAttribute{
		Optional:            true,
		MarkdownDescription: "How long " + what + " may take: a duration such as `90s` or `5m`. Default: `" + defaultActionTimeout + "`.",
		Validators:          []validator.String{attrs.IsDuration()},
	}
}

// ActionReason is `reason` of an action.
func ActionReason() schema.StringAttribute {
	return schema.StringAttribute{
		Optional:            true,
		MarkdownDescription: "Why, in your words: it is in the history, and where it is told that somebody did this. No secrets, please.",
	}
}
