package address

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// testSchema has the attributes of an address and no others.
func testSchema() schema.Schema {
	attributes := map[string]schema.Attribute{
		"traffic": TrafficAttribute(), "keep_previous": KeepPreviousAttribute(), "drain": DrainAttribute(), "retry_token": RetryTokenAttribute(),
		"clusters": attrs.ClustersAttribute(""), "abandon_unreachable": attrs.AbandonAttribute(),
		"split": SplitAttribute(), "cluster_status": attrs.ClusterStatusAttribute(""), "drift": attrs.DriftAttribute(),
		"retained": RetainedAttribute(), "plan_summary": SummaryAttribute(), "canary": CanaryAttribute(""), "refused": RefusedAttribute(), "stopped_by": StoppedByAttribute(),
	}
	for _, name := range []string{
		"application", "namespace", "deployment_id", "id", "owner", "previous_deployment_id", "url", "promoted_at", "status", "status_reason",
	} {
		attributes[name] = attrs.ComputedString("")
	}
	return schema.Schema{Attributes: attributes}
}

func TestServiceSurvivesTheModel(t *testing.T) {
	tests := map[string]traffic.ServiceSpec{
		"everything": {
			Name: "web", Ports: map[string]int32{"http": 80, "admin": 81}, Type: "LoadBalancer", Annotations: map[string]string{"a": ""},
			SessionAffinity: "ClientIP", LoadBalancerClass: "x", ExternalTrafficPolicy: "Local",
			AppProtocols: map[string]string{"http": "http"}, NodePorts: map[string]int32{"admin": 30001}, SourceRanges: []string{"10.0.0.0/8", "::/0"},
			IPFamilies: []corev1.IPFamily{"IPv6", "IPv4"}, IPFamilyPolicy: "RequireDualStack", TrafficDistribution: "PreferClose",
		},
		"defaults": {Name: "api", Ports: map[string]int32{"http": 80}, Type: "ClusterIP", SessionAffinity: "None"},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			want.Namespace, want.Application = "shop", "api"
			keep := release.Keep{Count: 3, TTL: 90 * time.Minute, State: release.DesiredStopped}
			m := New()
			m.Application, m.Namespace = types.StringValue("api"), types.StringValue("shop")
			if diags := m.setService(t.Context(), want); diags.HasError() {
				t.Fatal(diags)
			}
			m.setURL(want)
			m.KeepPrevious = KeepValue(keep)
			m.Split = SplitValue(map[string]release.Split{"prod": {"api-7f3c9a1e": 100}, "gone": nil})
			m.Drift = attrs.NoDrift()
			// Through a state, as an import does: every field must have its type.
			s := testSchema()
			state := tfsdk.State{Schema: s, Raw: tftypes.NewValue(s.Type().TerraformType(t.Context()), nil)}
			if diags := state.Set(t.Context(), m); diags.HasError() {
				t.Fatal(diags)
			}
			var read Model
			diags := state.Get(t.Context(), &read)
			got := read.Service(t.Context(), &diags)
			if diags.HasError() {
				t.Fatal(diags)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if got, diags := KeepOf(t.Context(), read.KeepPrevious); got != keep || diags.HasError() {
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
		if got := DrainOf(attrs.TextOrNull(text)); got != want {
			t.Errorf("drain %q is %s, want %s", text, got, want)
		}
	}
}

func TestEveryStateToKeepIsDescribed(t *testing.T) {
	for _, v := range release.DesiredStates() {
		if keepStateMeaning[v] == "" {
			t.Errorf("keep_previous.state %q has no meaning", v)
		}
	}
}
