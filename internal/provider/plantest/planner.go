package plantest

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
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/fastpath"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// Obj is a configuration, or a part of one.
type Obj = map[string]any

// AfterApply stands for a value that is not known before apply.
type AfterApply struct{}

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

func (p planningProvider) Configured() any { return p.session }

func (planningProvider) DataSources(context.Context) []func() datasource.DataSource { return nil }

func (p planningProvider) Resources(context.Context) []func() resource.Resource { return p.resources }

// Planner plans one resource type.
type Planner struct {
	t        *testing.T
	server   tfprotov6.ProviderServer
	typeName string
	schema   *tfprotov6.Schema
	typ      tftypes.Object
}

// Type is that of the resource's values.
func (p Planner) Type() tftypes.Object { return p.typ }

// ClustersNamed is a run whose provider has clusters of these names. Nothing else
// is known of them, so that nothing is asked of them.
func ClustersNamed(names ...string) *session.Session {
	clusters := session.NewClusters(false)
	for _, name := range names {
		clusters.Add(session.Settings{Unknown: []string{""}, Config: cluster.Config{Name: name}}, "test")
	}
	return session.New(clusters, rollout.New(rollout.DefaultTiming()))
}

// ClustersUnknown is a run in which not even the clusters' names are known.
func ClustersUnknown() *session.Session {
	return session.New(session.NewClusters(true), rollout.New(rollout.DefaultTiming()))
}

// Provider has these resources, and nothing to configure.
func Provider(run *session.Session, resources ...func() resource.Resource) fastpath.Provider {
	return planningProvider{run, resources}
}

// New plans one type of the resources.
func New(t *testing.T, typeName string, run *session.Session, resources ...func() resource.Resource) Planner {
	t.Helper()
	server, err := fastpath.New(t.Context(), Provider(run, resources...))
	if err != nil {
		t.Fatal(err)
	}
	return On(t, typeName, server)
}

// On plans one type of resource with a server of such a provider.
func On(t *testing.T, typeName string, server tfprotov6.ProviderServer) Planner {
	t.Helper()
	schemas, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range schemas.Diagnostics {
		t.Fatalf("schema: %s: %s", d.Summary, d.Detail)
	}
	nothing := tftypes.Object{AttributeTypes: map[string]tftypes.Type{}}
	config := Dynamic(t, nothing, tftypes.NewValue(nothing, map[string]tftypes.Value{}))
	if _, err := server.ConfigureProvider(t.Context(), &tfprotov6.ConfigureProviderRequest{Config: config}); err != nil {
		t.Fatal(err)
	}
	s := schemas.ResourceSchemas[typeName]
	return Planner{t, server, typeName, s, s.ValueType().(tftypes.Object)}
}

// Planned is the answer to one plan.
type Planned struct {
	t           *testing.T
	value       tftypes.Value
	replace     []string
	Diagnostics []*tfprotov6.Diagnostic
	Private     map[string][]byte
	Response    *tfprotov6.PlanResourceChangeResponse
}

// Value is what is planned.
func (r Planned) Value() tftypes.Value { return r.value }

// Plan plans config over a prior state, which is nil for a create.
func (p Planner) Plan(config Obj, prior *tftypes.Value) Planned {
	p.t.Helper()
	return p.Answer(p.Request(config, prior, nil))
}

// Request is what Terraform asks for such a plan.
func (p Planner) Request(config Obj, prior *tftypes.Value, private []byte) *tfprotov6.PlanResourceChangeRequest {
	p.t.Helper()
	c := TFValue(p.t, p.typ, config)
	state := tftypes.NewValue(p.typ, nil)
	if prior != nil {
		state = *prior
	}
	return p.request(c, state, proposed(p.t, p.schema.Block.Attributes, p.typ, c, state), private)
}

// PlanAgain plans what is there already, with what the last plan has left in private
// state.
func (p Planner) PlanAgain(config Obj, prior *tftypes.Value, private map[string][]byte) Planned {
	p.t.Helper()
	text, err := json.Marshal(private)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.Answer(p.request(TFValue(p.t, p.typ, config), *prior, *prior, text))
}

// Destroy plans that nothing is left.
func (p Planner) Destroy(prior *tftypes.Value) Planned {
	p.t.Helper()
	nothing := tftypes.NewValue(p.typ, nil)
	return p.Answer(p.request(nothing, *prior, nothing, nil))
}

func (p Planner) request(config, prior, proposed tftypes.Value, private []byte) *tfprotov6.PlanResourceChangeRequest {
	p.t.Helper()
	req := &tfprotov6.PlanResourceChangeRequest{
		TypeName: p.typeName, Config: Dynamic(p.t, p.typ, config), PriorState: Dynamic(p.t, p.typ, prior), PriorPrivate: private,
	}
	// Terraform encodes what is the same in the same way, and tftypes does not.
	if req.ProposedNewState = req.PriorState; !proposed.Equal(prior) {
		req.ProposedNewState = Dynamic(p.t, p.typ, proposed)
	}
	return req
}

// Answer is the answer to a request.
func (p Planner) Answer(req *tfprotov6.PlanResourceChangeRequest) Planned {
	p.t.Helper()
	resp, err := p.server.PlanResourceChange(p.t.Context(), req)
	if err != nil {
		p.t.Fatal(err)
	}
	out := Planned{t: p.t, Diagnostics: resp.Diagnostics, Response: resp}
	if resp.PlannedState != nil {
		if out.value, err = resp.PlannedState.Unmarshal(p.typ); err != nil {
			p.t.Fatal(err)
		}
	}
	for _, at := range resp.RequiresReplace {
		out.replace = append(out.replace, PathText(at))
	}
	if len(resp.PlannedPrivate) > 0 {
		if err := json.Unmarshal(resp.PlannedPrivate, &out.Private); err != nil {
			p.t.Fatal(err)
		}
	}
	return out
}

// Validate gives the diagnostics as "path: summary".
func (p Planner) Validate(config Obj) []string {
	p.t.Helper()
	resp, err := p.server.ValidateResourceConfig(p.t.Context(), &tfprotov6.ValidateResourceConfigRequest{
		TypeName: p.typeName,
		Config:   Dynamic(p.t, p.typ, TFValue(p.t, p.typ, config)),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return DiagnosticTexts(resp.Diagnostics)
}

// DiagnosticTexts are diagnostics as "path: summary".
func DiagnosticTexts(diagnostics []*tfprotov6.Diagnostic) []string {
	var out []string
	for _, d := range diagnostics {
		out = append(out, PathText(d.Attribute)+": "+d.Summary)
	}
	slices.Sort(out)
	return out
}

// PathText is a path as "rollout.order.0".
func PathText(at *tftypes.AttributePath) string {
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

// OK fails the test on any error.
func (r Planned) OK() Planned {
	r.t.Helper()
	for _, d := range r.Diagnostics {
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			r.t.Fatalf("%s: %s: %s", PathText(d.Attribute), d.Summary, d.Detail)
		}
	}
	return r
}

// At is one planned value, in Go.
func (r Planned) At(name string, steps ...string) any {
	r.t.Helper()
	v := attributesOf(r.t, r.value)[name]
	for _, s := range steps {
		v = attributesOf(r.t, v)[s]
	}
	return goValue(r.t, v)
}

// Wants fails the test where an attribute is planned otherwise.
func (r Planned) Wants(want Obj) {
	r.t.Helper()
	for name, w := range want {
		if got := r.At(name); fmt.Sprint(got) != fmt.Sprint(w) {
			r.t.Errorf("%s is planned %v, want %v", name, got, w)
		}
	}
}

// WantReplace fails the test where a replacement is planned because of other paths.
func (r Planned) WantReplace(paths ...string) {
	r.t.Helper()
	if !slices.Equal(r.replace, paths) {
		r.t.Errorf("replacement because of %q, want %q", r.replace, paths)
	}
}

// WantNoChange is an empty plan.
func (r Planned) WantNoChange(prior tftypes.Value) {
	r.t.Helper()
	r.WantReplace()
	diffs, err := prior.Diff(r.value)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, d := range diffs {
		r.t.Errorf("plan is not empty: %s", d)
	}
}

// State is what apply would store: the plan with its unknown values filled in.
func (r Planned) State(fill Obj) *tftypes.Value {
	r.t.Helper()
	values := attributesOf(r.t, r.OK().value)
	for name, v := range values {
		given, ok := fill[name]
		switch {
		case ok:
			values[name] = TFValue(r.t, v.Type(), given)
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

// ValueAt is one attribute of a state, in Go.
func ValueAt(t *testing.T, state tftypes.Value, name string) any {
	t.Helper()
	return ValuesOf(t, state)[name]
}

// ValuesOf are all attributes of a state, in Go.
func ValuesOf(t *testing.T, state tftypes.Value) Obj {
	t.Helper()
	return goValue(t, state).(Obj)
}

func attributesOf(t *testing.T, v tftypes.Value) map[string]tftypes.Value {
	t.Helper()
	out := map[string]tftypes.Value{}
	if err := v.As(&out); err != nil {
		t.Fatal(err)
	}
	return maps.Clone(out) // As may give the value's own map
}

// Dynamic is a value as the protocol has it.
func Dynamic(t *testing.T, typ tftypes.Type, v tftypes.Value) *tfprotov6.DynamicValue {
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
		case a.NestedType != nil && a.NestedType.Nesting == tfprotov6.SchemaObjectNestingModeMap && v.IsKnown() && !before[a.Name].IsNull():
			of := typ.AttributeTypes[a.Name].(tftypes.Map)
			elements, others := attributesOf(t, v), attributesOf(t, before[a.Name])
			for key, element := range elements {
				if other, ok := others[key]; ok {
					elements[key] = proposed(t, a.NestedType.Attributes, of.ElementType.(tftypes.Object), element, other)
				}
			}
			configured[a.Name] = tftypes.NewValue(of, elements)
		}
	}
	return tftypes.NewValue(typ, configured)
}

// TFValue makes a Terraform value; object attributes left out are null.
func TFValue(t *testing.T, typ tftypes.Type, v any) tftypes.Value {
	t.Helper()
	if v == nil {
		return tftypes.NewValue(typ, nil)
	}
	if _, is := v.(AfterApply); is {
		return tftypes.NewValue(typ, tftypes.UnknownValue)
	}
	switch typ := typ.(type) {
	case tftypes.Object:
		given := v.(Obj)
		values := map[string]tftypes.Value{}
		for name, at := range typ.AttributeTypes {
			values[name] = TFValue(t, at, given[name])
		}
		for name := range given {
			if _, ok := typ.AttributeTypes[name]; !ok {
				t.Fatalf("no attribute %q", name)
			}
		}
		return tftypes.NewValue(typ, values)
	case tftypes.Map:
		values := map[string]tftypes.Value{}
		for k, e := range v.(Obj) {
			values[k] = TFValue(t, typ.ElementType, e)
		}
		return tftypes.NewValue(typ, values)
	case tftypes.List:
		values := []tftypes.Value{}
		for _, e := range v.([]any) {
			values = append(values, TFValue(t, typ.ElementType, e))
		}
		return tftypes.NewValue(typ, values)
	case tftypes.Set:
		values := []tftypes.Value{}
		for _, e := range v.([]any) {
			values = append(values, TFValue(t, typ.ElementType, e))
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
		return AfterApply{}
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
		out := Obj{}
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
