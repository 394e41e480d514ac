package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/provider"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/deployment"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/deploymentgroup"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/maindeployment"
)

// What follows needs newer CLIs than the provider does. None of it is needed:
// everything can be reached by resources and their attributes.

var (
	_ provider.ProviderWithFunctions     = (*switchbackProvider)(nil)
	_ provider.ProviderWithListResources = (*switchbackProvider)(nil)
	_ provider.ProviderWithActions       = (*switchbackProvider)(nil)
)

// Functions work from Terraform 1.8 and OpenTofu 1.7 on.
func (p *switchbackProvider) Functions(context.Context) []func() function.Function {
	return []func() function.Function{deployment.NewImageFunction, deployment.NewNameFunction}
}

// ListResources work from Terraform 1.14 on.
func (p *switchbackProvider) ListResources(context.Context) []func() list.ListResource {
	return []func() list.ListResource{deployment.NewList, maindeployment.NewList, deploymentgroup.NewList}
}

// Actions work from Terraform 1.14 on.
func (p *switchbackProvider) Actions(context.Context) []func() action.Action {
	return []func() action.Action{
		deployment.NewRestartAction, deployment.NewStopAction, deployment.NewStartAction, deployment.NewCancelAction,
		maindeployment.NewRollbackAction, maindeployment.NewResumeAction, maindeployment.NewHoldAction, maindeployment.NewAbortAction,
		maindeployment.NewRetryAction, maindeployment.NewPromoteAction, deploymentgroup.NewRollbackAction, deploymentgroup.NewCancelAction,
	}
}
