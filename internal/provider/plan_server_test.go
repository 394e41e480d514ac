package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
)

// The tests of planning run the framework's own server, without a CLI and
// without clusters: what is planned, which paths force a replacement, which
// diagnostics come at which attribute.

type obj = map[string]any

// afterApply stands for a value that is not known before apply.
type afterApply struct{}

// planningProvider has some resources, and nothing to configure.
type planningProvider struct {
	session   *session.Session
	resources []func() resource.Resource
}

func (planningProvider) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "switchback"
}

func (planningProvider) Schema(context.Context, provider.SchemaRequest, *provider.SchemaResponse) {}

func (p planningProvider) Configure(_ context.Context, _ provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	resp.ResourceData = p.session
}

func (planningProvider) DataSources(context.Context) []func() datasource.DataSource { return nil }

func (p planningProvider) Resources(context.Context) []func() resource.Resource { return p.resources }

// planner plans one resource type.
type planner struct {
	t        *testing.T
	server   tfprotov6.ProviderServer
	typeName string
	schema   *tfprotov6.Schema
	typ      tftypes.Object
}

// clustersNamed is a run whose provider has clusters of these names. Nothing else
// is known of them, so that nothing is asked of them.
func clustersNamed(names ...string) *session.Session {
	clusters := session.NewClusters(false)
	for _, name := range names {
		clusters.Add(session.Settings{Unknown: []string{""}, Config: cluster.Config{Name: name}}, "test")
	}
	return session.New(clusters, nil)
}

// clustersUnknown is a run in which not even the clusters' names are known.
func clustersUnknown() *session.Session { return session.New(session.NewClusters(true), nil) }

// newPlanner plans one type of the resources.
func newPlanner(t *testing.T, typeName string, run *session.Session, resources ...func() resource.Resource) planner {
	t.Helper()
	server, err := providerserver.NewProtocol6WithError(planningProvider{run, resources})()
	if err != nil {
		t.Fatal(err)
	}
	schemas, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range schemas.Diagnostics {
		t.Fatalf("schema: %s: %s", d.Summary, d.Detail)
	}
	nothing := tftypes.Object{AttributeTypes: map[string]tftypes.Type{}}
	config := dynamic(t, nothing, tftypes.NewValue(nothing, map[string]tftypes.Value{}))
	if _, err := server.ConfigureProvider(t.Context(), &tfprotov6.ConfigureProviderRequest{Config: config}); err != nil {
		t.Fatal(err)
	}
	s := schemas.ResourceSchemas[typeName]
	return planner{t, server, typeName, s, s.ValueType().(tftypes.Object)}
}

// planned is the answer to one plan.
type planned struct {
	t           *testing.T
	value       tftypes.Value
	replace     []string
	diagnostics []*tfprotov6.Diagnostic
	private     map[string][]byte
}

// plan plans config over a prior state, which is nil for a create.
func (p planner) plan(config obj, prior *tftypes.Value) planned {
	p.t.Helper()
	c := tfValue(p.t, p.typ, config)
	state := tftypes.NewValue(p.typ, nil)
	if prior != nil {
		state = *prior
	}
	return p.planRaw(c, state, proposed(p.t, p.schema.Block.Attributes, p.typ, c, state), nil)
}

// planAgain plans what is there already, with what the last plan has left in private
// state.
func (p planner) planAgain(config obj, prior *tftypes.Value, private map[string][]byte) planned {
	p.t.Helper()
	text, err := json.Marshal(private)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.planRaw(tfValue(p.t, p.typ, config), *prior, *prior, text)
}

// destroy plans that nothing is left.
func (p planner) destroy(prior *tftypes.Value) planned {
	p.t.Helper()
	nothing := tftypes.NewValue(p.typ, nil)
	return p.planRaw(nothing, *prior, nothing, nil)
}

func (p planner) planRaw(config, prior, proposed tftypes.Value, private []byte) planned {
	p.t.Helper()
	resp, err := p.server.PlanResourceChange(p.t.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName:         p.typeName,
		Config:           dynamic(p.t, p.typ, config),
		PriorState:       dynamic(p.t, p.typ, prior),
		ProposedNewState: dynamic(p.t, p.typ, proposed),
		PriorPrivate:     private,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	out := planned{t: p.t, diagnostics: resp.Diagnostics}
	if resp.PlannedState != nil {
		if out.value, err = resp.PlannedState.Unmarshal(p.typ); err != nil {
			p.t.Fatal(err)
		}
	}
	for _, at := range resp.RequiresReplace {
		out.replace = append(out.replace, pathText(at))
	}
	if len(resp.PlannedPrivate) > 0 {
		if err := json.Unmarshal(resp.PlannedPrivate, &out.private); err != nil {
			p.t.Fatal(err)
		}
	}
	return out
}

// validate gives the diagnostics as "path: summary".
func (p planner) validate(config obj) []string {
	p.t.Helper()
	resp, err := p.server.ValidateResourceConfig(p.t.Context(), &tfprotov6.ValidateResourceConfigRequest{
		TypeName: p.typeName,
		Config:   dynamic(p.t, p.typ, tfValue(p.t, p.typ, config)),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return diagnosticTexts(resp.Diagnostics)
}

func diagnosticTexts(diagnostics []*tfprotov6.Diagnostic) []string {
	var out []string
	for _, d := range diagnostics {
		out = append(out, pathText(d.Attribute)+": "+d.Summary)
	}
	slices.Sort(out)
	return out
}

func pathText(at *tftypes.AttributePath) string {
	var parts []string
	for _, step := range at.Steps() {
		switch s := step.(type) {
		case tftypes.AttributeName:
			parts = append(parts, string(s))
		case tftypes.ElementKeyString:
			parts = append(parts, string(s))
		case tftypes.ElementKeyInt:
			parts = append(parts, fmt.Sprint(int64(s)))
		case tftypes.ElementKeyValue:
			parts = append(parts, "{}")
		}
	}
	return strings.Join(parts, ".")
}

// ok fails the test on any error.
func (r planned) ok() planned {
	r.t.Helper()
	for _, d := range r.diagnostics {
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			r.t.Fatalf("%s: %s: %s", pathText(d.Attribute), d.Summary, d.Detail)
		}
	}
	return r
}

// at is one planned value, in Go.
func (r planned) at(name string, steps ...string) any {
	r.t.Helper()
	v := attributesOf(r.t, r.value)[name]
	for _, s := range steps {
		v = attributesOf(r.t, v)[s]
	}
	return goValue(r.t, v)
}

func (r planned) wants(want obj) {
	r.t.Helper()
	for name, w := range want {
		if got := r.at(name); fmt.Sprint(got) != fmt.Sprint(w) {
			r.t.Errorf("%s is planned %v, want %v", name, got, w)
		}
	}
}

func (r planned) wantReplace(paths ...string) {
	r.t.Helper()
	if !slices.Equal(r.replace, paths) {
		r.t.Errorf("replacement because of %q, want %q", r.replace, paths)
	}
}

// wantNoChange is an empty plan.
func (r planned) wantNoChange(prior tftypes.Value) {
	r.t.Helper()
	r.wantReplace()
	diffs, err := prior.Diff(r.value)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, d := range diffs {
		r.t.Errorf("plan is not empty: %s", d)
	}
}

// state is what apply would store: the plan with its unknown values filled in.
func (r planned) state(fill obj) *tftypes.Value {
	r.t.Helper()
	values := attributesOf(r.t, r.ok().value)
	for name, v := range values {
		given, ok := fill[name]
		switch {
		case ok:
			values[name] = tfValue(r.t, v.Type(), given)
		case !v.IsKnown():
			values[name] = tftypes.NewValue(v.Type(), nil)
		}
	}
	out := tftypes.NewValue(r.value.Type(), values)
	if !out.IsFullyKnown() {
		r.t.Fatal("the state has unknown values: fill them in")
	}
	return &out
}

// valueAt is one attribute of a state, in Go.
func valueAt(t *testing.T, state tftypes.Value, name string) any {
	t.Helper()
	return valuesOf(t, state)[name]
}

// valuesOf are all attributes of a state, in Go.
func valuesOf(t *testing.T, state tftypes.Value) obj {
	t.Helper()
	return goValue(t, state).(obj)
}

func attributesOf(t *testing.T, v tftypes.Value) map[string]tftypes.Value {
	t.Helper()
	out := map[string]tftypes.Value{}
	if err := v.As(&out); err != nil {
		t.Fatal(err)
	}
	return maps.Clone(out) // As may give the value's own map
}

func dynamic(t *testing.T, typ tftypes.Type, v tftypes.Value) *tfprotov6.DynamicValue {
	t.Helper()
	d, err := tfprotov6.NewDynamicValue(typ, v)
	if err != nil {
		t.Fatal(err)
	}
	return &d
}

// proposed does what Terraform's core does before it asks for a plan: what is
// computed and not configured keeps its prior value.
func proposed(t *testing.T, schema []*tfprotov6.SchemaAttribute, typ tftypes.Object, config, prior tftypes.Value) tftypes.Value {
	t.Helper()
	if config.IsNull() || !config.IsKnown() || prior.IsNull() {
		return config
	}
	configured, before := attributesOf(t, config), attributesOf(t, prior)
	for _, a := range schema {
		switch v := configured[a.Name]; {
		case a.Computed && v.IsNull():
			configured[a.Name] = before[a.Name]
		case a.NestedType != nil && a.NestedType.Nesting == tfprotov6.SchemaObjectNestingModeSingle:
			configured[a.Name] = proposed(t, a.NestedType.Attributes, typ.AttributeTypes[a.Name].(tftypes.Object), v, before[a.Name])
		}
	}
	return tftypes.NewValue(typ, configured)
}

// tfValue makes a Terraform value; object attributes left out are null.
func tfValue(t *testing.T, typ tftypes.Type, v any) tftypes.Value {
	t.Helper()
	if v == nil {
		return tftypes.NewValue(typ, nil)
	}
	if _, is := v.(afterApply); is {
		return tftypes.NewValue(typ, tftypes.UnknownValue)
	}
	switch typ := typ.(type) {
	case tftypes.Object:
		given := v.(obj)
		values := map[string]tftypes.Value{}
		for name, at := range typ.AttributeTypes {
			values[name] = tfValue(t, at, given[name])
		}
		for name := range given {
			if _, ok := typ.AttributeTypes[name]; !ok {
				t.Fatalf("no attribute %q", name)
			}
		}
		return tftypes.NewValue(typ, values)
	case tftypes.Map:
		values := map[string]tftypes.Value{}
		for k, e := range v.(obj) {
			values[k] = tfValue(t, typ.ElementType, e)
		}
		return tftypes.NewValue(typ, values)
	case tftypes.List:
		values := []tftypes.Value{}
		for _, e := range v.([]any) {
			values = append(values, tfValue(t, typ.ElementType, e))
		}
		return tftypes.NewValue(typ, values)
	case tftypes.Set:
		values := []tftypes.Value{}
		for _, e := range v.([]any) {
			values = append(values, tfValue(t, typ.ElementType, e))
		}
		return tftypes.NewValue(typ, values)
	}
	return tftypes.NewValue(typ, v)
}

// goValue is the way back.
func goValue(t *testing.T, v tftypes.Value) any {
	t.Helper()
	switch {
	case !v.IsKnown():
		return afterApply{}
	case v.IsNull():
		return nil
	}
	as := func(into any) {
		if err := v.As(into); err != nil {
			t.Fatal(err)
		}
	}
	switch {
	case v.Type().Is(tftypes.String):
		var s string
		as(&s)
		return s
	case v.Type().Is(tftypes.Bool):
		var b bool
		as(&b)
		return b
	case v.Type().Is(tftypes.Number):
		n := new(big.Float)
		as(&n)
		f, _ := n.Float64()
		return f
	case v.Type().Is(tftypes.Object{}), v.Type().Is(tftypes.Map{}):
		out := obj{}
		for k, e := range attributesOf(t, v) {
			out[k] = goValue(t, e)
		}
		return out
	}
	var list []tftypes.Value
	as(&list)
	out := []any{}
	for _, e := range list {
		out = append(out, goValue(t, e))
	}
	return out
}
