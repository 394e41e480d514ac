package provider_test

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// call calls a function of the provider's as Terraform does.
func call(t *testing.T, name string, arguments ...string) (*tftypes.Value, *tfprotov6.FunctionError) {
	t.Helper()
	server, err := newProviderServer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	functions, err := server.GetFunctions(t.Context(), &tfprotov6.GetFunctionsRequest{})
	if err != nil || len(functions.Diagnostics) > 0 {
		t.Fatalf("%v %v", err, functions)
	}
	if functions.Functions[name] == nil {
		t.Fatalf("there is no function %q", name)
	}
	req := &tfprotov6.CallFunctionRequest{Name: name}
	for _, argument := range arguments {
		value, err := tfprotov6.NewDynamicValue(tftypes.String, tftypes.NewValue(tftypes.String, argument))
		if err != nil {
			t.Fatal(err)
		}
		req.Arguments = append(req.Arguments, &value)
	}
	resp, err := server.CallFunction(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Error != nil {
		return nil, resp.Error
	}
	result, err := resp.Result.Unmarshal(functions.Functions[name].Return.Type)
	if err != nil {
		t.Fatal(err)
	}
	return &result, nil
}

func TestParseImageFunction(t *testing.T) {
	t.Parallel()
	digest := "sha256:" + strings.Repeat("0123456789abcdef", 4)
	for image, want := range map[string]map[string]string{
		"nginx": {"registry": "docker.io", "repository": "library/nginx", "name": "docker.io/library/nginx", "version": "latest"},
		"ghcr.io/acme/api:v1.4.0": {
			"registry": "ghcr.io", "repository": "acme/api", "name": "ghcr.io/acme/api", "tag": "v1.4.0", "version": "v1.4.0",
		},
		"localhost:5000/api@" + digest: {
			"registry": "localhost:5000", "repository": "api", "name": "localhost:5000/api", "digest": digest, "version": "0123456789ab",
		},
	} {
		result, failure := call(t, "parse_image", image)
		if failure != nil {
			t.Errorf("%s: %s", image, failure.Text)
			continue
		}
		parts := map[string]tftypes.Value{}
		if err := result.As(&parts); err != nil {
			t.Fatal(err)
		}
		for name, part := range parts {
			var got *string
			if err := part.As(&got); err != nil {
				t.Fatal(err)
			}
			switch wanted, ok := want[name]; {
			case !ok && got != nil:
				t.Errorf("%s: %s is %q, want null", image, name, *got)
			case ok && (got == nil || *got != wanted):
				t.Errorf("%s: %s is %v, want %q", image, name, got, wanted)
			}
		}
	}
}

func TestDeploymentNameFunction(t *testing.T) {
	t.Parallel()
	result, failure := call(t, "deployment_name", "web", strings.Repeat("7f3c9a1e", 8))
	if failure != nil {
		t.Fatal(failure.Text)
	}
	if want := tftypes.NewValue(tftypes.String, "web-7f3c9a1e"); !result.Equal(want) {
		t.Errorf("got %s, want %s", result, want)
	}
}

// An argument that is wrong is refused: which one, why, and what would be right.
func TestFunctionArgumentsAreChecked(t *testing.T) {
	t.Parallel()
	hash := strings.Repeat("7f3c9a1e", 8)
	for _, test := range []struct {
		function  string
		arguments []string
		wrong     int64
		says      string
	}{
		{"parse_image", []string{""}, 0, "Name the image to run"},
		{"parse_image", []string{"ghcr.io/Acme/API:V1"}, 0, "try ghcr.io/acme/api:V1"},
		{"parse_image", []string{"api:v1 "}, 0, "white space"},
		{"parse_image", []string{"https://ghcr.io/acme/api"}, 0, "registry/repository:tag"},
		{"deployment_name", []string{"My_App", hash}, 0, `"my-app"`},
		{"deployment_name", []string{strings.Repeat("a", 53), hash}, 0, "at most 52"},
		{"deployment_name", []string{"web", "7f3c9a1e"}, 1, "64 hexadecimal characters"},
		{"deployment_name", []string{"web", strings.ToUpper(hash)}, 1, "lower case"},
	} {
		_, failure := call(t, test.function, test.arguments...)
		switch {
		case failure == nil:
			t.Errorf("%s(%q) is accepted", test.function, test.arguments)
		case failure.FunctionArgument == nil || *failure.FunctionArgument != test.wrong || !strings.Contains(failure.Text, test.says):
			t.Errorf("%s(%q): argument %v: %s; want argument %d and %q", test.function, test.arguments, failure.FunctionArgument, failure.Text, test.wrong, test.says)
		}
	}
}

// With a real CLI, whose version of a deployment's name and version they agree
// with.
func TestAccFunctions(t *testing.T) {
	l := newLab(t)
	w := l.workspace()
	config := l.config(requiredProviders, l.deployment(image("v1")), `
output "name" {
  value = provider::switchback::deployment_name(switchback_deployment.api.application, switchback_deployment.api.content_hash)
}
output "version" {
  value = provider::switchback::parse_image(switchback_deployment.api.image).version
}
output "repository" {
  value = provider::switchback::parse_image("nginx@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef").repository
}
`)
	w.apply(config)
	w.wantState(theDeployment, "name", nameOf("v1"), "version", "v1")
	for name, want := range map[string]string{"name": nameOf("v1"), "version": "v1", "repository": "library/nginx"} {
		if got := strings.TrimSpace(w.do("output", "-raw", "-no-color", name)); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	w.wantNoChanges()
	bad := l.config(requiredProviders, `output "bad" { value = provider::switchback::parse_image("ghcr.io/acme/API:v1") }`)
	w.applyFails(bad).tells("ghcr.io/acme/api:v1")
}
