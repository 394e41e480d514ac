package provider

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
)

// adopted plans an address that is somebody else's Service, or may turn out to
// be: the defaults of our own do not count, and only the cluster knows its ports.
func (p *mainDeploymentPlan) adopted(planned mainServiceModel) {
	m := &p.plan
	m.URL = types.StringUnknown()
	if planned.Adopt.IsUnknown() {
		configured, _, diags := p.config.serviceModel(p.ctx)
		p.diagnose(diags)
		if configured.Type.IsNull() {
			planned.Type = types.StringUnknown()
		}
		if configured.SessionAffinity.IsNull() {
			planned.SessionAffinity = types.StringUnknown()
		}
		p.diagnose(m.setServiceModel(p.ctx, planned))
		return
	}
	if p.state != nil && m.ID.Equal(p.state.ID) && !p.state.URL.IsNull() {
		m.URL = p.state.URL
	}
	p.diagnose(m.setServiceModel(p.ctx, adoptedService(planned.Name)))
}

// keepAdoption refuses to make an adopted address our own, or the reverse, or to
// adopt another one: two Services would be the address at once, and one of them
// is not ours to remove.
func (p *mainDeploymentPlan) keepAdoption() {
	prior, ok, diags := p.state.serviceModel(p.ctx)
	p.diagnose(diags)
	planned, ok2, diags := p.plan.serviceModel(p.ctx)
	p.diagnose(diags)
	was, is := prior.Adopt.ValueBool(), planned.Adopt.ValueBool()
	if !ok || !ok2 || planned.Adopt.IsUnknown() || !was && !is {
		return
	}
	if was != is {
		now := "The Service %[1]q is adopted, and stays somebody else's as long as this main deployment exists. Keep `adopt = true`, or destroy this main deployment, which hands the Service back, and apply again."
		if is {
			now = "The address of this application is the Service %[1]q, which Switchback made. Leave `adopt` out, or destroy this main deployment, which removes that Service, and apply again."
		}
		p.resp.Diagnostics.AddAttributeError(attrs.ServicePath.AtName("adopt"), "Adoption cannot change in place", fmt.Sprintf(now, prior.Name.ValueString()))
		return
	}
	if !planned.Name.IsUnknown() && !planned.Name.Equal(prior.Name) {
		p.resp.Diagnostics.AddAttributeError(attrs.ServicePath.AtName("name"), "Adopted Service cannot be another one",
			fmt.Sprintf("The Service %q is adopted. Keep `name`, or destroy this main deployment, which hands the Service back, and apply again with the other one.", prior.Name.ValueString()))
	}
}

// checkAdopt says what cannot stand beside `adopt`, and what must without it.
func checkAdopt(s mainServiceModel) diag.Diagnostics {
	var diags diag.Diagnostics
	switch {
	case s.Adopt.IsUnknown():
		return diags
	case !s.Adopt.ValueBool():
		if s.Ports.IsNull() {
			diags.AddAttributeError(attrs.ServicePath.AtName("ports"), "Ports are missing",
				"Say which of the deployment's ports the Service has, such as `ports = { http = 80 }`. Only a Service that is adopted has its own.")
		}
		return diags
	}
	for _, a := range []struct {
		name string
		set  bool
	}{
		{"ports", !s.Ports.IsNull()},
		{"type", !s.Type.IsNull()},
		{"annotations", !s.Annotations.IsNull()},
		{"session_affinity", !s.SessionAffinity.IsNull()},
		{"load_balancer_class", !s.LoadBalancerClass.IsNull()},
		{"external_traffic_policy", !s.ExternalTrafficPolicy.IsNull()},
	} {
		if a.set {
			diags.AddAttributeError(attrs.ServicePath.AtName(a.name), "Adopted Service keeps its own "+a.name,
				fmt.Sprintf("With `adopt`, only the selector of the Service is Switchback's. Remove `%s`, and change it where the Service is managed.", a.name))
		}
	}
	return diags
}
