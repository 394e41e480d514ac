package provider_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// What only newer CLIs can ask for is tested at the level of the protocol too,
// so that no CLI's age decides whether it is.

// data is a value as JSON has it. What an object leaves out is null.
type data = map[string]any

// protocol is a configured provider, spoken to as Terraform does.
type protocol struct {
	t          *testing.T
	server     tfprotov6.ProviderServer
	schemas    *tfprotov6.GetProviderSchemaResponse
	identities *tfprotov6.GetResourceIdentitySchemasResponse
}

// speak starts a provider for clusters, by their names and kubeconfig files.
func speak(t *testing.T, kubeconfigs map[string]string) *protocol {
	t.Helper()
	clusters := data{}
	for name, path := range kubeconfigs {
		clusters[name] = data{"config_path": path}
	}
	return speakWith(t, data{"clusters": clusters})
}

// speakWith starts a provider with a configuration.
func speakWith(t *testing.T, config data) *protocol {
	t.Helper()
	server, err := newProviderServer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := &protocol{t: t, server: server}
	if p.schemas, err = server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{}); err != nil {
		t.Fatal(err)
	}
	p.fine(p.schemas.Diagnostics)
	if p.identities, err = server.GetResourceIdentitySchemas(t.Context(), &tfprotov6.GetResourceIdentitySchemasRequest{}); err != nil {
		t.Fatal(err)
	}
	p.fine(p.identities.Diagnostics)
	resp, err := server.ConfigureProvider(t.Context(), &tfprotov6.ConfigureProviderRequest{
		TerraformVersion: "1.14.0", Config: p.pack(p.schemas.Provider.ValueType(), config),
	})
	if err != nil {
		t.Fatal(err)
	}
	p.fine(resp.Diagnostics)
	return p
}

// speak is to the lab's cluster, "default".
func (l *lab) speak() *protocol {
	l.t.Helper()
	return speak(l.t, map[string]string{"default": l.cluster.KubeconfigPath})
}

// speakThrough is to the lab's cluster, with faults on the wire.
func (l *lab) speakThrough(proxy *testcluster.Proxy) *protocol {
	l.t.Helper()
	return speak(l.t, map[string]string{"default": proxy.KubeconfigPath})
}

// pack and unpack turn values into what is on the wire, and back.

func (p *protocol) pack(typ tftypes.Type, v any) *tfprotov6.DynamicValue {
	p.t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		p.t.Fatal(err)
	}
	wire := &tfprotov6.DynamicValue{JSON: text}
	value, err := wire.Unmarshal(typ)
	if err != nil {
		p.t.Fatal(err)
	}
	packed, err := tfprotov6.NewDynamicValue(typ, value)
	if err != nil {
		p.t.Fatal(err)
	}
	return &packed
}

func (p *protocol) unpack(typ tftypes.Type, wire *tfprotov6.DynamicValue) data {
	p.t.Helper()
	if wire == nil {
		return nil
	}
	value, err := wire.Unmarshal(typ)
	if err != nil {
		p.t.Fatal(err)
	}
	plain, _ := plainValue(p.t, value).(data)
	return plain
}

// plainValue is a value as JSON has it; unknown is "<unknown>".
func plainValue(t *testing.T, v tftypes.Value) any {
	t.Helper()
	as := func(into any) {
		if err := v.As(into); err != nil {
			t.Fatal(err)
		}
	}
	switch typ := v.Type(); {
	case !v.IsKnown():
		return "<unknown>"
	case v.IsNull():
		return nil
	case typ.Is(tftypes.String):
		var s string
		as(&s)
		return s
	case typ.Is(tftypes.Bool):
		var b bool
		as(&b)
		return b
	case typ.Is(tftypes.Number):
		n := new(big.Float)
		as(&n)
		f, _ := n.Float64()
		return f
	case typ.Is(tftypes.Object{}), typ.Is(tftypes.Map{}):
		elements, plain := map[string]tftypes.Value{}, data{}
		as(&elements)
		for name, e := range elements {
			plain[name] = plainValue(t, e)
		}
		return plain
	}
	elements, plain := []tftypes.Value{}, []any{}
	as(&elements)
	for _, e := range elements {
		plain = append(plain, plainValue(t, e))
	}
	return plain
}

func (p *protocol) resourceType(name string) tftypes.Type {
	p.t.Helper()
	if p.schemas.ResourceSchemas[name] == nil {
		p.t.Fatalf("there is no resource %q", name)
	}
	return p.schemas.ResourceSchemas[name].ValueType()
}

func (p *protocol) identity(name string, identity *tfprotov6.ResourceIdentityData) data {
	p.t.Helper()
	if identity == nil {
		return nil
	}
	return p.unpack(p.identities.IdentitySchemas[name].ValueType(), identity.IdentityData)
}

// object is a resource in a state, with its identity.
type object struct {
	state, identity data
	private         []byte
	diagnostics     []*tfprotov6.Diagnostic
}

// importBy imports by an id, or where that is empty by an identity, and reads.
func (p *protocol) importBy(typeName, id string, identity data) object {
	p.t.Helper()
	req := &tfprotov6.ImportResourceStateRequest{TypeName: typeName, ID: id}
	if id == "" {
		req.Identity = &tfprotov6.ResourceIdentityData{IdentityData: p.pack(p.identities.IdentitySchemas[typeName].ValueType(), identity)}
	}
	resp, err := p.server.ImportResourceState(p.t.Context(), req)
	if err != nil {
		p.t.Fatal(err)
	}
	if len(resp.Diagnostics) > 0 {
		return object{diagnostics: resp.Diagnostics}
	}
	imported := resp.ImportedResources[0]
	return p.read(typeName, imported.State, imported.Identity, imported.Private)
}

func (p *protocol) read(typeName string, state *tfprotov6.DynamicValue, identity *tfprotov6.ResourceIdentityData, private []byte) object {
	p.t.Helper()
	resp, err := p.server.ReadResource(p.t.Context(), &tfprotov6.ReadResourceRequest{
		TypeName: typeName, CurrentState: state, CurrentIdentity: identity, Private: private,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return object{p.unpack(p.resourceType(typeName), resp.NewState), p.identity(typeName, resp.NewIdentity), resp.Private, resp.Diagnostics}
}

// change plans and applies config over a prior state (nil: none), which has
// the computed attributes that are not to change.
func (p *protocol) change(ctx context.Context, typeName string, config, prior data) object {
	p.t.Helper()
	typ := p.resourceType(typeName)
	proposed := data{}
	for _, values := range []data{prior, config} {
		for name, v := range values {
			proposed[name] = v
		}
	}
	planned, err := p.server.PlanResourceChange(ctx, &tfprotov6.PlanResourceChangeRequest{
		TypeName: typeName, Config: p.pack(typ, config), PriorState: p.packed(typ, prior), ProposedNewState: p.pack(typ, proposed),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.fine(planned.Diagnostics)
	resp, err := p.server.ApplyResourceChange(ctx, &tfprotov6.ApplyResourceChangeRequest{
		TypeName: typeName, Config: p.pack(typ, config), PriorState: p.packed(typ, prior),
		PlannedState: planned.PlannedState, PlannedPrivate: planned.PlannedPrivate, PlannedIdentity: planned.PlannedIdentity,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return object{p.unpack(typ, resp.NewState), p.identity(typeName, resp.NewIdentity), resp.Private, resp.Diagnostics}
}

// packed is a state, or that there is none.
func (p *protocol) packed(typ tftypes.Type, state data) *tfprotov6.DynamicValue {
	p.t.Helper()
	if state == nil {
		return p.pack(typ, nil)
	}
	return p.pack(typ, state)
}

// fine fails the test on any error.
func (p *protocol) fine(diagnostics []*tfprotov6.Diagnostic) {
	p.t.Helper()
	if text := said(diagnostics, tfprotov6.DiagnosticSeverityError); text != "" {
		p.t.Fatal(text)
	}
}

// said are the diagnostics of a severity.
func said(diagnostics []*tfprotov6.Diagnostic, severity tfprotov6.DiagnosticSeverity) string {
	var b strings.Builder
	for _, d := range diagnostics {
		if d.Severity == severity {
			fmt.Fprintf(&b, "%s (%s): %s\n", d.Summary, d.Attribute, d.Detail)
		}
	}
	return b.String()
}

// wantSays fails the test unless an error, or a warning, has all these texts.
func wantSays(t *testing.T, diagnostics []*tfprotov6.Diagnostic, severity tfprotov6.DiagnosticSeverity, texts ...string) {
	t.Helper()
	if err := says(diagnostics, severity, texts...); err != nil {
		t.Error(err)
	}
}

// eventuallySays asks until an error, or a warning, has all these texts.
func eventuallySays(t *testing.T, ask func() []*tfprotov6.Diagnostic, severity tfprotov6.DiagnosticSeverity, texts ...string) {
	t.Helper()
	testcluster.Eventually(t, testcluster.Hang, strings.Join(texts, ", "), func() error { return says(ask(), severity, texts...) })
}

// says is an error for each text that is in no error, or in no warning.
func says(diagnostics []*tfprotov6.Diagnostic, severity tfprotov6.DiagnosticSeverity, texts ...string) error {
	var missing []error
	for _, text := range texts {
		if !strings.Contains(said(diagnostics, severity), text) {
			missing = append(missing, fmt.Errorf("no %s says %q:\n%s", severity, text, said(diagnostics, tfprotov6.DiagnosticSeverityError)+said(diagnostics, tfprotov6.DiagnosticSeverityWarning)))
		}
	}
	return errors.Join(missing...)
}

func wantSame(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s is\n%v\nwant\n%v", what, got, want)
	}
}
