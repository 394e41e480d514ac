package workload_test

import (
	"slices"
	"strings"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

func previewOf(hostname string) *release.Preview {
	return &release.Preview{Hostname: hostname, Parents: []gatewayv1.ParentReference{{Name: "public"}}}
}

// TestPreview: it leads to the release's own Service, is no part of the content, and is
// known for what it is.
func TestPreview(t *testing.T) {
	t.Parallel()
	spec := minimal()
	if workload.Preview(spec) != nil || len(spec.Companions()) > 0 {
		t.Error("there is one that is not asked for")
	}
	spec.Content.Container.Ports = map[string]int32{"http": 8080, "admin": 9000}
	name := spec.Name()
	spec.Preview = previewOf("{name}.{application}.{namespace}.example.com")
	route := workload.Preview(spec)
	if spec.Name() != name || route.Name != name || !slices.Equal(spec.Companions(), []release.Companion{release.CompanionPreview}) {
		t.Errorf("the release is %s, its route %s, its companions are %v", spec.Name(), route.Name, spec.Companions())
	}
	want := name + "." + spec.Content.Application + "." + spec.Namespace + ".example.com"
	if got := string(route.Spec.Hostnames[0]); got != want {
		t.Errorf("its host name is %s, want %s", got, want)
	}
	refs := route.Spec.Rules[0].BackendRefs
	if len(route.Spec.Rules) != 1 || len(refs) != 1 || string(refs[0].Name) != workload.Service(spec).Name || *refs[0].Port != 8080 {
		t.Errorf("it leads to %+v", route.Spec.Rules)
	}
	if !workload.IsPreview(route, name) || workload.IsPreview(route, name+"0") {
		t.Error("it is not taken for the preview of its release alone")
	}
	route.Labels[release.LabelRole] = release.RoleMain
	if workload.IsPreview(route, name) {
		t.Error("a route of another role is taken for a preview")
	}
	spec.Preview.Port = "none"
	if workload.Preview(spec) != nil || len(spec.Companions()) > 0 {
		t.Error("there is one that can lead nowhere")
	}
}

func TestValidatePreview(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*release.Spec)
		at     string // none: it is well
		words  string
	}{
		"well":                {func(*release.Spec) {}, "", ""},
		"all placeholders":    {func(s *release.Spec) { s.Preview.Hostname = "{application}.{name}.{namespace}.example.com" }, "", ""},
		"the same for all":    {func(s *release.Spec) { s.Preview.Hostname = "{application}.example.com" }, "hostname", "{name}.preview.example.com"},
		"unknown placeholder": {func(s *release.Spec) { s.Preview.Hostname = "{name}.{version}.example.com" }, "hostname", "{version}"},
		"not closed":          {func(s *release.Spec) { s.Preview.Hostname = "{name}.{namespace" }, "hostname", "{namespace, which"},
		"no host name":        {func(s *release.Spec) { s.Preview.Hostname = "{name}_x.example.com" }, "hostname", "_x.example.com"},
		"too long": {func(s *release.Spec) {
			s.Content.Application, s.Preview.Hostname = strings.Repeat("a", release.MaxApplicationLength), "preview-{name}.example.com"
		}, "hostname", "63 characters"},
		"no ports":      {func(s *release.Spec) { s.Content.Container.Ports = nil }, "", "declares no port"},
		"another port":  {func(s *release.Spec) { s.Preview.Port = "web" }, "port", `"web"`},
		"a port of UDP": {func(s *release.Spec) { s.Content.Container.PortProtocols = map[string]string{"http": "UDP"} }, "port", "http"},
		"the only port": {func(s *release.Spec) { s.Content.Container.Ports = map[string]int32{"web": 80} }, "", ""},
		"one of two":    {func(s *release.Spec) { s.Content.Container.Ports = map[string]int32{"a": 80, "b": 81} }, "port", "a, b"},
		"a port is named": {func(s *release.Spec) {
			s.Content.Container.Ports, s.Preview.Port = map[string]int32{"a": 80, "b": 81}, "b"
		}, "", ""},
	} {
		spec := minimal()
		spec.Content.Container.Ports = map[string]int32{"http": 8080}
		spec.Preview = previewOf("{name}.example.com")
		tt.change(&spec)
		var found []workload.Problem
		for _, p := range workload.Validate(spec) {
			if p.Path[0] == "preview" {
				found = append(found, p)
			}
		}
		if tt.words == "" {
			if len(found) > 0 {
				t.Errorf("%s: %+v", name, found)
			}
			continue
		}
		if len(found) != 1 || !strings.Contains(found[0].Detail, tt.words) || tt.at != "" && (len(found[0].Path) != 2 || found[0].Path[1] != tt.at) {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

func TestPreviewURL(t *testing.T) {
	t.Parallel()
	id := release.ID{Namespace: "shop", Name: "api-1"}
	at := func(port int32) []gatewayv1.ParentReference {
		return []gatewayv1.ParentReference{{Name: "public", Port: &port}}
	}
	for want, p := range map[string]release.Preview{
		"http://api-1.example.com":       {},
		"https://api-1.example.com":      {Scheme: release.PreviewHTTPS, Parents: at(443)},
		"http://api-1.example.com:8080":  {Parents: at(8080)},
		"https://api-1.example.com:8443": {Scheme: release.PreviewHTTPS, Parents: at(8443)},
		"http://api-1.example.com:443":   {Parents: at(443)},
	} {
		p.Hostname = "{name}.example.com"
		if got := p.URL(id, "api"); got != want {
			t.Errorf("it is %s, want %s", got, want)
		}
	}
}

func TestAttributeOfPreview(t *testing.T) {
	t.Parallel()
	for field, want := range map[string][]any{
		"spec.hostnames[0]": {"preview", "hostname"}, "spec.parentRefs[0].name": {"preview", "parent_refs"}, "spec.rules": {"preview"}, "": {"preview"},
	} {
		if got := workload.AttributeOf(minimal(), "HTTPRoute", field); !slices.Equal(got, want) {
			t.Errorf("%s is of %v, want %v", field, got, want)
		}
	}
}
