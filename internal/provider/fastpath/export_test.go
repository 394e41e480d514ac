package fastpath

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// Asked counts what the framework is asked.
type Asked struct {
	framework
	Plans, Validations int
}

// PlanResourceChange is the framework's.
func (a *Asked) PlanResourceChange(ctx context.Context, req *tfprotov6.PlanResourceChangeRequest) (*tfprotov6.PlanResourceChangeResponse, error) {
	a.Plans++
	return a.framework.PlanResourceChange(ctx, req)
}

// ValidateResourceConfig is the framework's.
func (a *Asked) ValidateResourceConfig(ctx context.Context, req *tfprotov6.ValidateResourceConfigRequest) (*tfprotov6.ValidateResourceConfigResponse, error) {
	a.Validations++
	return a.framework.ValidateResourceConfig(ctx, req)
}

// NewCounting is New, and tells what the framework was asked.
func NewCounting(ctx context.Context, p Provider) (tfprotov6.ProviderServer, *Asked, error) {
	inner, err := providerserver.NewProtocol6WithError(p)()
	if err != nil {
		return nil, nil, err
	}
	asked := &Asked{framework: inner.(framework)}
	server, err := over(ctx, p, asked)
	return server, asked, err
}
