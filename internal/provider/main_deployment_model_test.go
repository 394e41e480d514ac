package provider

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func TestMainServiceSurvivesTheModel(t *testing.T) {
	tests := map[string]mainService{
		"everything": {
			Name: "web", Ports: map[string]int32{"http": 80, "admin": 81}, Type: "LoadBalancer", Annotations: map[string]string{"a": ""},
			SessionAffinity: "ClientIP", LoadBalancerClass: "x", ExternalTrafficPolicy: "Local",
		},
		"defaults": {Name: "api", Ports: map[string]int32{"http": 80}, Type: "ClusterIP", SessionAffinity: "None"},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			keep := release.Keep{Count: 3, TTL: 90 * time.Minute, State: release.DesiredStopped}
			m := newMainDeploymentModel()
			m.Application, m.Namespace = types.StringValue("api"), types.StringValue("shop")
			if diags := m.setService(t.Context(), want); diags.HasError() {
				t.Fatal(diags)
			}
			m.setURL(want)
			m.setKeep(keep)
			m.Split = splitValue(map[string]release.Split{"prod": {"api-7f3c9a1e": 100}, "gone": nil})
			m.Drift = attrs.NoDrift()
			// Through a state, as an import does: every field must have its type.
			s := mainDeploymentSchema(t.Context())
			state := tfsdk.State{Schema: s, Raw: tftypes.NewValue(s.Type().TerraformType(t.Context()), nil)}
			if diags := state.Set(t.Context(), m); diags.HasError() {
				t.Fatal(diags)
			}
			var read mainDeploymentModel
			if diags := state.Get(t.Context(), &read); diags.HasError() {
				t.Fatal(diags)
			}
			got, diags := read.service(t.Context())
			if diags.HasError() {
				t.Fatal(diags)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if got, diags := read.keep(t.Context()); got != keep || diags.HasError() {
				t.Errorf("keep_previous is %+v, want %+v: %v", got, keep, diags)
			}
			if got := read.URL.ValueString(); got != "http://"+want.Name+".shop.svc:80" {
				t.Errorf("url is %s", got)
			}
		})
	}
}

func TestDrainHasADefault(t *testing.T) {
	for text, want := range map[string]time.Duration{"": release.DefaultDrain, "0s": 0, "1m": time.Minute} {
		if got := (&mainDeploymentModel{Drain: attrs.TextOrNull(text)}).drain(); got != want {
			t.Errorf("drain %q is %s, want %s", text, got, want)
		}
	}
}

func TestAServicesURLTakesItsHTTPPort(t *testing.T) {
	for want, ports := range map[string]map[string]int32{
		"http://api.shop.svc:80":   {"http": 80, "admin": 81},
		"http://api.shop.svc:9090": {"grpc": 9090, "web": 8080},
	} {
		if got := attrs.ServiceURL("api", "shop", ports); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
