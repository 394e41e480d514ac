package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/provider"

	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// NewWithTiming makes a provider whose engine is less patient than users' is.
func NewWithTiming(timing rollout.Timing) provider.Provider {
	return &switchbackProvider{version: "test", timing: timing}
}
