package provider

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
)

// notKnown is a value that only the apply will tell.
type notKnown struct{}

// object is a configuration as a user would write it: strings, bools, lists
// ([]string), maps (map[string]string), nested objects, notKnown{}.
type object map[string]any

// terraformValue gives v the shape of typ; what an object leaves out is null.
func terraformValue(t *testing.T, typ tftypes.Type, v any) tftypes.Value {
	t.Helper()
	switch v := v.(type) {
	case nil:
		return tftypes.NewValue(typ, nil)
	case notKnown:
		return tftypes.NewValue(typ, tftypes.UnknownValue)
	case object:
		values := map[string]tftypes.Value{}
		if m, ok := typ.(tftypes.Map); ok {
			for key, element := range v {
				values[key] = terraformValue(t, m.ElementType, element)
			}
			return tftypes.NewValue(typ, values)
		}
		types := typ.(tftypes.Object).AttributeTypes
		for key := range v {
			if types[key] == nil {
				t.Fatalf("no attribute %q", key)
			}
		}
		for key, attribute := range types {
			values[key] = terraformValue(t, attribute, v[key])
		}
		return tftypes.NewValue(typ, values)
	case []string:
		list := []tftypes.Value{}
		for _, s := range v {
			list = append(list, tftypes.NewValue(tftypes.String, s))
		}
		return tftypes.NewValue(typ, list)
	}
	return tftypes.NewValue(typ, v)
}

// configure runs ValidateConfig and Configure.
func configure(t *testing.T, config object) (*session.Clusters, diag.Diagnostics) {
	t.Helper()
	ctx := t.Context()
	p := &switchbackProvider{life: ctx, version: "1.2.3"}
	raw := tfsdk.Config{Schema: providerSchema(), Raw: terraformValue(t, providerSchema().Type().TerraformType(ctx), config)}
	validated := &provider.ValidateConfigResponse{}
	p.ValidateConfig(ctx, provider.ValidateConfigRequest{Config: raw}, validated)
	configured := &provider.ConfigureResponse{}
	p.Configure(ctx, provider.ConfigureRequest{Config: raw}, configured)
	if validated.Diagnostics.HasError() && !configured.Diagnostics.HasError() {
		t.Error("what validation refuses can be configured")
	}
	if configured.Diagnostics.HasError() {
		return nil, configured.Diagnostics
	}
	return configured.ResourceData.(*session.Session).Clusters, configured.Diagnostics
}

const kubeconfigText = `
apiVersion: v1
kind: Config
current-context: staging
clusters:
- {name: c1, cluster: {server: "https://one.example:6443"}}
- {name: c2, cluster: {server: "https://two.example:6443"}}
users:
- {name: u1, user: {token: abc}}
contexts:
- {name: staging, context: {cluster: c1, user: u1}}
- {name: production, context: {cluster: c2, user: u1}}
`

// quietEnvironment has none of the variables that the provider reads, and a
// default kubeconfig that it must not read.
func quietEnvironment(t *testing.T) (kubeconfig string) {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	for _, variable := range append([]string{"KUBECONFIG", "KUBERNETES_MASTER", "KUBERNETES_SERVICE_HOST"}, mapValues(environmentVariables)...) {
		t.Setenv(variable, "")
	}
	if err := os.MkdirAll(filepath.Join(home, ".kube"), 0o700); err != nil {
		t.Fatal(err)
	}
	kubeconfig = filepath.Join(home, ".kube", "config")
	if err := os.WriteFile(kubeconfig, []byte(kubeconfigText), 0o600); err != nil {
		t.Fatal(err)
	}
	return kubeconfig
}

func mapValues(m map[string]string) []string {
	var values []string
	for _, v := range m {
		values = append(values, v)
	}
	return values
}

func TestProviderSchema(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	if diags := providerSchema().ValidateImplementation(ctx); diags.HasError() {
		t.Error(diags)
	}
	top := providerSchema().Attributes
	nested := top["clusters"].(schema.MapNestedAttribute).NestedObject.Attributes
	for _, attributes := range []map[string]schema.Attribute{top, nested, nested["exec"].(schema.SingleNestedAttribute).Attributes} {
		for name, attribute := range attributes {
			if attribute.GetMarkdownDescription() == "" {
				t.Errorf("%s has no description", name)
			}
		}
	}
	for _, name := range []string{"token", "client_key"} {
		if !nested[name].IsSensitive() || !top[name].IsSensitive() {
			t.Errorf("%s is not sensitive", name)
		}
	}
	if !nested["exec"].(schema.SingleNestedAttribute).Attributes["env"].IsSensitive() {
		t.Error("exec.env is not sensitive")
	}
	resp := &provider.MetadataResponse{}
	(&switchbackProvider{version: "1.2.3"}).Metadata(ctx, provider.MetadataRequest{}, resp)
	if resp.TypeName != "switchback" || resp.Version != "1.2.3" {
		t.Errorf("%+v", resp)
	}
}

func TestConfigureErrors(t *testing.T) {
	file := quietEnvironment(t)
	clusters := path.Root("clusters")
	prod := clusters.AtMapKey("prod")
	const v1 = "client.authentication.k8s.io/v1"
	in := func(connection object) object { return object{"clusters": object{"prod": connection}} }
	for name, test := range map[string]struct {
		config object
		at     path.Path // path.Empty(): not on an attribute
		says   string
	}{
		"nothing":                  {object{}, path.Empty(), "No default is assumed"},
		"only a uid":               {object{"expected_uid": "u"}, path.Empty(), "No default is assumed"},
		"no clusters":              {object{"clusters": object{}}, clusters, "at least one"},
		"both":                     {object{"clusters": object{"prod": object{"config_path": file}}, "config_path": file}, path.Root("config_path"), "single cluster"},
		"both, uid":                {object{"clusters": object{"prod": object{"config_path": file}}, "expected_uid": "u"}, path.Root("expected_uid"), "single cluster"},
		"both, unknown":            {object{"clusters": notKnown{}, "host": notKnown{}}, path.Root("host"), "single cluster"},
		"name":                     {object{"clusters": object{"a b": object{"config_path": file}}}, clusters.AtMapKey("a b"), "letters"},
		"null":                     {object{"clusters": object{"prod": nil}}, prod, "null"},
		"empty cluster":            {in(object{}), prod, "config_path"},
		"context":                  {in(object{"config_path": file, "config_context": "prod"}), prod.AtName("config_context"), "production, staging"},
		"context without file":     {in(object{"config_context": "staging"}), prod.AtName("config_context"), "config_path"},
		"file":                     {in(object{"config_path": "~/none"}), prod.AtName("config_path"), "no such file"},
		"files":                    {in(object{"config_paths": []string{file, "/none"}}), prod.AtName("config_paths"), "/none"},
		"host":                     {in(object{"host": "api.example"}), prod.AtName("host"), "https://"},
		"insecure and CA":          {in(object{"host": "https://x", "insecure": true, "cluster_ca_certificate": "x"}), prod.AtName("insecure"), "cluster_ca_certificate"},
		"CA":                       {in(object{"host": "https://x", "cluster_ca_certificate": "x"}), prod.AtName("cluster_ca_certificate"), "PEM"},
		"certificate":              {in(object{"host": "https://x", "client_certificate": "x", "client_key": "x"}), prod.AtName("client_certificate"), "PEM"},
		"exec":                     {in(object{"host": "https://x", "exec": object{"api_version": v1, "command": "no-such-plugin"}}), prod.AtName("exec").AtName("command"), "no-such-plugin"},
		"exec version":             {in(object{"host": "https://x", "exec": object{"api_version": "v0", "command": "sh"}}), prod.AtName("exec").AtName("api_version"), v1},
		"top level: context":       {object{"config_path": file, "config_context": "prod"}, path.Root("config_context"), "production, staging"},
		"top level: exec":          {object{"host": "https://x", "exec": object{"api_version": v1, "command": "no-such-plugin"}}, path.Root("exec").AtName("command"), "no-such-plugin"},
		"top level: nothing named": {object{"insecure": true}, path.Empty(), "config_path"},
		"one of two":               {object{"clusters": object{"prod": object{"config_path": file, "config_context": "x"}, "dev": object{"config_path": file}}}, prod.AtName("config_context"), "staging"},
	} {
		t.Run(name, func(t *testing.T) {
			_, diags := configure(t, test.config)
			errs := diags.Errors()
			if len(errs) != 1 {
				t.Fatalf("%d errors: %v", len(errs), errs)
			}
			at := path.Empty()
			if with, ok := errs[0].(diag.DiagnosticWithPath); ok {
				at = with.Path()
			}
			if !at.Equal(test.at) || !strings.Contains(errs[0].Detail(), test.says) {
				t.Errorf("at %s, want %s; %q should be in: %s", at, test.at, test.says, errs[0].Detail())
			}
		})
	}
}

func TestConfigureClusters(t *testing.T) {
	file := quietEnvironment(t)
	c, diags := configure(t, object{"clusters": object{
		"prod": object{"config_path": file, "config_context": "production"},
		"dev":  object{"config_path": "~/.kube/config"},
	}})
	if diags.HasError() || len(diags) > 0 {
		t.Fatal(diags)
	}
	got, diags := c.Get([]string{"prod", "dev", "prod"})
	if diags.HasError() || len(got) != 2 || got[0].Name() != "dev" || got[1].Name() != "prod" {
		t.Errorf("%v %v", got, diags)
	}
	if host := c.Connection("prod").Host(); host != "https://two.example:6443" {
		t.Errorf("prod is %s", host)
	}
	for _, names := range [][]string{nil, {"staging"}, {"prod", "staging"}} {
		_, diags := c.Get(names)
		if !diags.HasError() || !diags[0].(diag.DiagnosticWithPath).Path().Equal(path.Root("clusters")) || !strings.Contains(diags[0].Detail(), `"dev", "prod"`) {
			t.Errorf("%v: %v", names, diags)
		}
	}
}

func TestConfigureSingle(t *testing.T) {
	file := quietEnvironment(t)
	for name, test := range map[string]struct {
		config object
		env    map[string]string
		host   string
	}{
		"top level":                  {config: object{"config_path": file}, host: "https://one.example:6443"},
		"top level, environment too": {config: object{"host": "https://x"}, env: map[string]string{"KUBE_CONFIG_PATH": file, "KUBE_TOKEN": "t", "KUBE_CTX": "production"}, host: "https://x"},
		"file":                       {env: map[string]string{"KUBE_CONFIG_PATH": file, "KUBE_CTX": "production"}, host: "https://two.example:6443"},
		"files":                      {env: map[string]string{"KUBE_CONFIG_PATHS": file + string(os.PathListSeparator) + file, "KUBE_CTX_CLUSTER": "c2"}, host: "https://two.example:6443"},
		"host":                       {env: map[string]string{"KUBE_HOST": "https://y", "KUBE_TOKEN": "t", "KUBE_INSECURE": "true"}, host: "https://y"},
		"host, with a uid":           {config: object{"expected_uid": "u"}, env: map[string]string{"KUBE_HOST": "https://y"}, host: "https://y"},
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range test.env {
				t.Setenv(key, value)
			}
			c, diags := configure(t, test.config)
			if diags.HasError() {
				t.Fatal(diags)
			}
			got, diags := c.Get(nil)
			if diags.HasError() || len(got) != 1 || got[0].Name() != "default" || c.Connection("default").Host() != test.host {
				t.Errorf("%v %v", got, diags)
			}
		})
	}
}

func TestConfigureEnvironmentErrors(t *testing.T) {
	file := quietEnvironment(t)
	for name, test := range map[string]struct {
		env  map[string]string
		says string
	}{
		"context":  {map[string]string{"KUBE_CONFIG_PATH": file, "KUBE_CTX": "nope"}, "KUBE_CTX"},
		"file":     {map[string]string{"KUBE_CONFIG_PATH": "/none"}, "KUBE_CONFIG_PATH"},
		"insecure": {map[string]string{"KUBE_HOST": "https://x", "KUBE_INSECURE": "perhaps"}, "KUBE_INSECURE"},
	} {
		t.Run(name, func(t *testing.T) {
			for key, value := range test.env {
				t.Setenv(key, value)
			}
			_, diags := configure(t, object{})
			if len(diags.Errors()) != 1 || !strings.Contains(diags.Errors()[0].Detail(), test.says) {
				t.Errorf("%v", diags)
			}
		})
	}
	// Where clusters are configured the environment is not looked at.
	t.Run("unused", func(t *testing.T) {
		t.Setenv("KUBE_CONFIG_PATH", "/none")
		t.Setenv("KUBE_INSECURE", "perhaps")
		if _, diags := configure(t, object{"clusters": object{"prod": object{"config_path": file}}}); diags.HasError() {
			t.Error(diags)
		}
	})
}

func TestConfigureInsecureWarns(t *testing.T) {
	quietEnvironment(t)
	_, diags := configure(t, object{"clusters": object{"prod": object{"host": "https://x", "insecure": true}}})
	if diags.HasError() || len(diags.Warnings()) != 1 || !diags[0].(diag.DiagnosticWithPath).Path().Equal(path.Root("clusters").AtMapKey("prod").AtName("insecure")) {
		t.Errorf("%v", diags)
	}
}

// A cluster that the same apply makes must not break the plan.
func TestConfigureUnknown(t *testing.T) {
	file := quietEnvironment(t)
	for name, connection := range map[string]any{
		"host":      object{"host": notKnown{}, "token": "t"},
		"token":     object{"host": "https://x", "token": notKnown{}, "insecure": notKnown{}},
		"exec arg":  object{"host": "https://x", "exec": object{"api_version": "client.authentication.k8s.io/v1", "command": "no-such-plugin", "env": notKnown{}}},
		"exec":      object{"host": "https://x", "exec": notKnown{}},
		"the whole": notKnown{},
	} {
		t.Run(name, func(t *testing.T) {
			c, diags := configure(t, object{"clusters": object{"new": connection, "prod": object{"config_path": file}}})
			if diags.HasError() {
				t.Fatal(diags)
			}
			if c.Known("new") || !c.Known("prod") {
				t.Errorf("known: new %t, prod %t", c.Known("new"), c.Known("prod"))
			}
			if _, known, diags := c.Resolve([]string{"new"}); !known || diags.HasError() {
				t.Errorf("%t %v", known, diags)
			}
			if _, diags := c.Get([]string{"new"}); !diags.HasError() || !strings.Contains(diags[0].Detail(), `"new"`) {
				t.Errorf("%v", diags)
			}
			if got, diags := c.Get([]string{"prod"}); diags.HasError() || len(got) != 1 {
				t.Errorf("%v", diags)
			}
		})
	}
	t.Run("all", func(t *testing.T) {
		c, diags := configure(t, object{"clusters": notKnown{}})
		if diags.HasError() {
			t.Fatal(diags)
		}
		if names, known, diags := c.Resolve(nil); known || names != nil || diags.HasError() {
			t.Errorf("%v %t %v", names, known, diags)
		}
		if _, diags := c.Get(nil); !diags.HasError() {
			t.Error("no error")
		}
	})
	t.Run("top level", func(t *testing.T) {
		c, diags := configure(t, object{"host": notKnown{}})
		if diags.HasError() {
			t.Fatal(diags)
		}
		if names, known, diags := c.Resolve(nil); !known || len(names) != 1 || diags.HasError() || c.Known("default") {
			t.Errorf("%v %t %v", names, known, diags)
		}
	})
	// The environment is not a stand-in for what is not known yet.
	t.Run("environment", func(t *testing.T) {
		t.Setenv("KUBE_CONFIG_PATH", file)
		c, diags := configure(t, object{"host": notKnown{}})
		if diags.HasError() || c.Known("default") {
			t.Errorf("%v", diags)
		}
	})
}
