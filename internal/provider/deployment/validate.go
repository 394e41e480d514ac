package deployment

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// validateDeployment is switchback_deployment's ValidateConfig. Terraform calls
// it again at plan and at apply, each time with more values known, so it need
// not see everything the first time.
func validateDeployment(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	raw, unknown, err := standIns(req.Config.Raw)
	if err != nil {
		resp.Diagnostics.AddError("Configuration cannot be read", explain.Sentence(err.Error()))
		return
	}
	var m model
	config := tfsdk.Config{Raw: raw, Schema: req.Config.Schema}
	if diags := config.Get(ctx, &m); diags.HasError() {
		resp.Diagnostics.Append(diags...)
		return
	}
	spec, diags := m.spec(ctx)
	if diags.HasError() {
		// Either more than texts is unknown, and an unknown map may hold the very
		// key that something refers to; or there is a null where there must be a
		// value, and the schema's own validation says so.
		return
	}
	spec.Replicas, spec.Content.PodSecurity = max(spec.Replicas, 1), "" // checked by the schema
	for _, problem := range workload.Validate(spec) {
		if !concerns(problem.Path, unknown) {
			resp.Diagnostics.AddAttributeError(attributePath(ctx, req.Config.Schema, problem.Path), problem.Summary, problem.Detail)
		}
	}
}

// standIn takes the place of an unknown text: valid wherever a name is wanted.
const standIn = "not-known-yet"

// standIns replaces unknown texts, so that the known rest can be validated, and
// tells where they were.
func standIns(config tftypes.Value) (tftypes.Value, [][]any, error) {
	matters := map[string]bool{"namespace": true}
	for _, in := range contentInputs {
		matters[in.name] = true
	}
	var unknown [][]any
	out, err := tftypes.Transform(config, func(at *tftypes.AttributePath, v tftypes.Value) (tftypes.Value, error) {
		steps := pathSteps(at)
		if v.IsKnown() || len(steps) == 0 || !v.Type().Is(tftypes.String) {
			return v, nil
		}
		if root, _ := steps[0].(string); !matters[root] {
			return v, nil
		}
		unknown = append(unknown, steps)
		return tftypes.NewValue(tftypes.String, standIn), nil
	})
	return out, unknown, err
}

// pathSteps is a path as package workload writes it. A step into a set ends it.
func pathSteps(at *tftypes.AttributePath) []any {
	var steps []any
	for _, step := range at.Steps() {
		switch s := step.(type) {
		case tftypes.AttributeName:
			steps = append(steps, string(s))
		case tftypes.ElementKeyString:
			steps = append(steps, workload.Key(s))
		case tftypes.ElementKeyInt:
			steps = append(steps, int(s))
		default:
			return steps
		}
	}
	return steps
}

// concerns says that a problem is with an unknown value, or with something that
// contains one or is contained in one: it may go away.
func concerns(problem []any, unknown [][]any) bool {
	for _, at := range unknown {
		same := true
		for i := range min(len(at), len(problem)) {
			same = same && at[i] == problem[i]
		}
		if same {
			return true
		}
	}
	return false
}

// typed is any schema.
type typed interface {
	TypeAtPath(ctx context.Context, at path.Path) (attr.Type, diag.Diagnostics)
}

// attributePath is a problem's path in Terraform's terms, as far as the schema
// has such attributes.
func attributePath(ctx context.Context, schema typed, steps []any) path.Path {
	at := path.Empty()
	for _, step := range steps {
		next := at
		switch s := step.(type) {
		case string:
			next = at.AtName(s)
		case int:
			next = at.AtListIndex(s)
		case workload.Key:
			next = at.AtMapKey(string(s))
		}
		if _, diags := schema.TypeAtPath(ctx, next); diags.HasError() {
			break
		}
		at = next
	}
	return at
}
