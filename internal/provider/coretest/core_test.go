package coretest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/coretest"
)

// liar is a provider with one resource, test_thing, which does what its
// attribute `lie` says.
type liar struct{}

func (liar) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "test"
}
func (liar) Schema(context.Context, provider.SchemaRequest, *provider.SchemaResponse)          {}
func (liar) Configure(context.Context, provider.ConfigureRequest, *provider.ConfigureResponse) {}
func (liar) DataSources(context.Context) []func() datasource.DataSource                        { return nil }
func (liar) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{func() resource.Resource { return thing{} }}
}

type thing struct{}

type thingModel struct {
	ID    types.String `tfsdk:"id"`
	Name  types.String `tfsdk:"name"`
	Color types.String `tfsdk:"color"`
	Lie   types.String `tfsdk:"lie"`
}

func (thing) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "test_thing"
}

func (thing) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{Attributes: map[string]schema.Attribute{
		"id":    schema.StringAttribute{Computed: true, PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()}},
		"name":  schema.StringAttribute{Required: true, PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()}},
		"color": schema.StringAttribute{Optional: true},
		"lie":   schema.StringAttribute{Optional: true},
	}}
}

func (thing) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	var lie types.String
	if req.Plan.Raw.IsNull() {
		return
	}
	resp.Diagnostics.Append(req.Plan.GetAttribute(ctx, path.Root("lie"), &lie)...)
	switch lie.ValueString() {
	case "plans another name":
		resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("name"), "another")...)
	case "plans what nobody configured":
		resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("color"), "red")...)
	case "plans a known id":
		resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("id"), "planned")...)
	}
}

func (thing) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var m thingModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...)
	m.ID = types.StringValue("made")
	switch m.Lie.ValueString() {
	case "makes another color":
		m.Color = types.StringValue("blue")
	case "fails":
		resp.Diagnostics.AddError("It failed", "As it was told to.")
		return
	case "fails and leaves something":
		resp.Diagnostics.AddError("It failed", "As it was told to.")
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

func (thing) Read(_ context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	resp.State = req.State
}

func (thing) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var m thingModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &m)...)
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

func (thing) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var m thingModel
	resp.Diagnostics.Append(req.State.Get(ctx, &m)...)
	if m.Color.ValueString() == "sticky" {
		resp.Diagnostics.AddError("It stays", "As it was told to.")
	}
}

func run(t *testing.T, dir, config string, args ...string) (int, string, error) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "main.tf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	core := coretest.Core{Address: "registry.terraform.io/hashicorp/test", Serve: func(context.Context) (tfprotov6.ProviderServer, error) {
		return providerserver.NewProtocol6WithError(liar{})()
	}}
	return core.Run(t.Context(), dir, append(args, "-json")...)
}

func state(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "terraform.tfstate"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

func configured(lines ...string) string {
	return "resource \"test_thing\" \"a\" {\n" + strings.Join(lines, "\n") + "\n}\n"
}

// What Terraform refuses in a provider is refused here.
func TestBugsOfProvidersAreRefused(t *testing.T) {
	t.Parallel()
	for lie, says := range map[string]string{
		"plans another name":           "Provider produced invalid plan",
		"plans what nobody configured": "Provider produced invalid plan",
		"plans a known id":             "Provider produced inconsistent result after apply",
		"makes another color":          "Provider produced inconsistent result after apply",
	} {
		t.Run(lie, func(t *testing.T) {
			t.Parallel()
			code, text, err := run(t, t.TempDir(), configured(`name = "a"`, `lie = "`+lie+`"`), "apply")
			if err != nil || code != 1 || !strings.Contains(text, says) {
				t.Errorf("%d, %v, without %q:\n%s", code, err, says, text)
			}
		})
	}
}

// What only a CLI can do is said, and never done otherwise.
func TestTheRestIsForTheCLI(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config string
		args   []string
	}{
		"count":                 {configured(`name = "a"`, `count = 2`), nil},
		"ignore_changes":        {configured(`name = "a"`, `lifecycle { ignore_changes = [color] }`), nil},
		"postcondition":         {configured(`name = "a"`, "lifecycle {\n postcondition {\n condition = true\n error_message = \"\"\n }\n}"), nil},
		"provisioner":           {configured(`name = "a"`, `provisioner "local-exec" { command = "true" }`), nil},
		"variable":              {`variable "a" {}`, nil},
		"locals":                {`locals { a = 1 }`, nil},
		"module":                {`module "a" { source = "./a" }`, nil},
		"import block":          {"import {\n to = test_thing.a\n id = \"a\"\n}\n" + configured(`name = "a"`), nil},
		"removed block":         {"removed {\n from = test_thing.a\n}\n", nil},
		"moved block":           {"moved {\n from = test_thing.a\n to = test_thing.b\n}\n", nil},
		"check block":           {`check "a" {}`, nil},
		"function":              {configured(`name = upper("a")`), nil},
		"provider's function":   {configured(`name = provider::test::name("a")`), nil},
		"path":                  {configured(`name = path.module`), nil},
		"another provider":      {`resource "terraform_data" "a" {}`, nil},
		"what is not declared":  {configured(`name = test_thing.b.id`), nil},
		"a target":              {configured(`name = "a"`), []string{"-target=test_thing.a"}},
		"a plan file":           {configured(`name = "a"`), []string{"-out=plan"}},
		"a variable's value":    {configured(`name = "a"`), []string{"-var=a=b"}},
		"a detailed exit code":  {configured(`name = "a"`), []string{"-detailed-exitcode"}},
		"an output's condition": {"output \"a\" {\n value = 1\n precondition {\n condition = true\n error_message = \"\"\n }\n}", nil},
		"a backend":             {"terraform {\n backend \"local\" {}\n}", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			_, text, err := run(t, dir, c.config, append([]string{"apply"}, c.args...)...)
			var beyond *coretest.UnsupportedError
			if !errors.As(err, &beyond) {
				t.Errorf("%v\n%s", err, text)
			}
			if s := state(t, dir); s != "" {
				t.Errorf("a state was written:\n%s", s)
			}
		})
	}
	if coretest.Knows("taint", "test_thing.a") || coretest.Knows("output", "-raw", "a") || coretest.Knows("show", "-json", "plan") {
		t.Error("it says that it knows what it does not")
	}
}

// A create that fails leaves what the provider left: nothing, or what is tainted,
// which only a CLI can go on from.
func TestFailures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if code, text, err := run(t, dir, configured(`name = "a"`, `lie = "fails"`), "apply"); err != nil || code != 1 || !strings.Contains(text, "It failed") || strings.Contains(state(t, dir), "test_thing") {
		t.Errorf("%d, %v:\n%s%s", code, err, text, state(t, dir))
	}
	if code, text, err := run(t, dir, configured(`name = "a"`, `lie = "fails and leaves something"`), "apply"); err != nil || code != 1 || !strings.Contains(state(t, dir), `"status": "tainted"`) {
		t.Errorf("%d, %v:\n%s%s", code, err, text, state(t, dir))
	}
	var beyond *coretest.UnsupportedError
	if _, text, err := run(t, dir, configured(`name = "a"`), "plan"); !errors.As(err, &beyond) || !strings.Contains(err.Error(), "tainted") {
		t.Errorf("%v\n%s", err, text)
	}
}

// What is created first stays, deposed, until it is destroyed; what was replaced
// and cannot be made comes back.
func TestDeposedObjects(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := `lifecycle { create_before_destroy = true }`
	apply := func(want int, lines ...string) string {
		t.Helper()
		code, text, err := run(t, dir, configured(append(lines, first)...), "apply")
		if err != nil || code != want {
			t.Fatalf("%d, %v:\n%s", code, err, text)
		}
		return text
	}
	apply(0, `name = "a"`, `color = "sticky"`)
	apply(1, `name = "b"`, `lie = "fails"`)
	if s := state(t, dir); strings.Contains(s, "deposed") || !strings.Contains(s, `"name": "a"`) {
		t.Errorf("the old one is not back:\n%s", s)
	}
	if text := apply(1, `name = "b"`); !strings.Contains(text, "It stays") || !strings.Contains(state(t, dir), `"deposed"`) || !strings.Contains(state(t, dir), `"name": "b"`) {
		t.Errorf("nothing is deposed:\n%s%s", text, state(t, dir))
	}
	if code, text, err := run(t, dir, configured(`name = "b"`, first), "plan"); err != nil || code != 0 || strings.Count(text, `"action":"delete"`) != 1 {
		t.Errorf("%d, %v:\n%s", code, err, text)
	}
}
