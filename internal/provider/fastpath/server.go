package fastpath

import (
	"context"
	"os"
	"sync/atomic"

	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// Variable is the variable of the environment that switches all of it off, by "off".
const Variable = "SWITCHBACK_FAST_PATH"

// Provider is a provider that tells what it gives to its resources.
type Provider interface {
	provider.Provider
	// Configured is the ResourceData of the last Configure; nil before it.
	Configured() any
}

// framework is what the framework's server speaks: the protocol, and the parts of
// it that plugin-go has in interfaces of their own as long as they are new. A
// wrapper that does not embed them loses them without a word.
type framework interface {
	tfprotov6.ProviderServer
	tfprotov6.ListResourceServer
	tfprotov6.ActionServer
	tfprotov6.StateStoreServer
}

// server is the framework's server, with shorter ways.
type server struct {
	framework
	provider  Provider
	types     map[string]*resourceType
	resources atomic.Pointer[map[string]resource.Resource] // configured; nil before that
}

// New serves a provider.
func New(ctx context.Context, p Provider) (tfprotov6.ProviderServer, error) {
	inner, err := providerserver.NewProtocol6WithError(p)()
	if err != nil || os.Getenv(Variable) == "off" {
		return inner, err
	}
	return over(ctx, p, inner)
}

// over puts the fast paths over the framework's server.
func over(ctx context.Context, p Provider, inner tfprotov6.ProviderServer) (tfprotov6.ProviderServer, error) {
	whole, ok := inner.(framework)
	if !ok {
		return inner, nil
	}
	s := &server{framework: whole, provider: p, types: map[string]*resourceType{}}
	for name, res := range s.instances(ctx) {
		s.types[name] = typeOf(res)
	}
	return s, nil
}

// instances are new resources by their types' names.
func (s *server) instances(ctx context.Context) map[string]resource.Resource {
	var of provider.MetadataResponse
	s.provider.Metadata(ctx, provider.MetadataRequest{}, &of)
	all := map[string]resource.Resource{}
	for _, newResource := range s.provider.Resources(ctx) {
		res := newResource()
		var named resource.MetadataResponse
		res.Metadata(ctx, resource.MetadataRequest{ProviderTypeName: of.TypeName}, &named)
		all[named.TypeName] = res
	}
	return all
}

// ConfigureProvider gives the resources here what the framework gives to its own.
func (s *server) ConfigureProvider(ctx context.Context, req *tfprotov6.ConfigureProviderRequest) (*tfprotov6.ConfigureProviderResponse, error) {
	resp, err := s.framework.ConfigureProvider(ctx, req)
	if err != nil || len(resp.Diagnostics) > 0 && failed(resp.Diagnostics) {
		return resp, err
	}
	all := s.instances(ctx)
	for name, res := range all {
		configurable, ok := res.(resource.ResourceWithConfigure)
		if !ok {
			continue
		}
		var done resource.ConfigureResponse
		configurable.Configure(ctx, resource.ConfigureRequest{ProviderData: s.provider.Configured()}, &done)
		if done.Diagnostics.HasError() {
			delete(all, name) // the framework tells of it
		}
	}
	s.resources.Store(&all)
	return resp, nil
}

// configured is a resource of a type, nil before the provider is configured.
func (s *server) configured(name string) resource.Resource {
	if all := s.resources.Load(); all != nil {
		return (*all)[name]
	}
	return nil
}

func failed(diagnostics []*tfprotov6.Diagnostic) bool {
	for _, d := range diagnostics {
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			return true
		}
	}
	return false
}

// Framework is the framework's server below a fast one, which is configured with it:
// for tests that compare the two.
func Framework(fast tfprotov6.ProviderServer) tfprotov6.ProviderServer {
	if s, ok := fast.(*server); ok {
		return s.framework
	}
	return fast
}
