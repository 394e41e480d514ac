package coretest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// Core runs commands with one provider.
type Core struct {
	// Address is the provider's, as states have it: host/namespace/type.
	Address string
	// Serve starts the provider. Each walk has one of its own, as with a CLI, which
	// starts a process for each. ctx ends with the walk, as that process does.
	Serve func(ctx context.Context) (tfprotov6.ProviderServer, error)
}

// run is one command.
type run struct {
	core        Core
	dir         string
	config      *configuration
	head        fileOfState
	refreshOnly bool
	validating  bool     // nothing is known of any resource
	forPeople   bool     // without -json
	replace     []string // instances that -replace names

	server     tfprotov6.ProviderServer
	end        context.CancelFunc // of the server; nil before the first
	schemas    *tfprotov6.GetProviderSchemaResponse
	identities *tfprotov6.GetResourceIdentitySchemasResponse

	mu      sync.Mutex // guards what follows
	objects []*object
	parts   map[string]map[string]cty.Value // what references see: by address and key
	changes []*change
	outputs map[string]storedOutput
	printed []string
	failed  bool
}

// errTold is for what has been told as a diagnostic.
var errTold = errors.New("told")

// Run is a command of the CLI: plan, apply or destroy with -json, import or state
// rm. It returns the exit code and, a line each, what the CLI would print with
// -json: planned_change and diagnostic messages. A planned_change has besides what
// is planned ("after", without what is in "unknown"), as has a message outputs.
func (c Core) Run(ctx context.Context, dir string, args ...string) (code int, printed string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &run{core: c, dir: dir, parts: map[string]map[string]cty.Value{}, forPeople: !slices.Contains(args, "-json")}
	if !Knows(args...) {
		return 0, "", unsupported("%s", strings.Join(args, " "))
	}
	var operands []string
	for _, arg := range args {
		address, replace := strings.CutPrefix(arg, "-replace=")
		switch {
		case replace:
			r.replace = append(r.replace, address)
		case arg == "-refresh-only":
			r.refreshOnly = true
		case !strings.HasPrefix(arg, "-"):
			operands = append(operands, arg)
		case !slices.Contains([]string{"-json", "-auto-approve", "-input=false", "-no-color"}, arg):
			return 0, "", unsupported("%s %s", args[0], arg)
		}
	}
	var diags hcl.Diagnostics
	if r.config, diags, err = readConfiguration(dir); err != nil {
		return 0, "", err
	}
	if r.head, r.objects, err = readState(dir); err != nil {
		return 0, "", err
	}
	err = errTold
	if !r.tellHCL(diags) {
		switch command := strings.Join(operands, " "); {
		case command == "plan":
			err = r.plan(ctx)
		case command == "apply":
			err = r.apply(ctx)
		case command == "destroy":
			err = r.destroy(ctx)
		case operands[0] == "import" && len(operands) == 3:
			err = r.importObject(ctx, operands[1], operands[2])
		case operands[0] == "state":
			err = r.remove(ctx, operands[2:])
		default:
			err = unsupported("%s", command)
		}
	}
	if err != nil && !errors.Is(err, errTold) {
		return 0, "", err
	}
	if r.failed {
		code = 1
	}
	return code, strings.Join(r.printed, "\n"), nil
}

// connect starts a provider for a walk. It validates what it configures it with, each
// time.
func (r *run) connect(ctx context.Context) (err error) {
	if r.end != nil {
		r.end()
	}
	life, end := context.WithCancel(ctx)
	r.end = end
	if r.server, err = r.core.Serve(life); err != nil {
		return err
	}
	if r.schemas == nil {
		if r.schemas, err = r.server.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{}); err != nil {
			return err
		}
		if r.identities, err = r.server.GetResourceIdentitySchemas(ctx, &tfprotov6.GetResourceIdentitySchemasRequest{}); err != nil {
			return err
		}
		if r.tell("", r.schemas.Diagnostics) || r.tell("", r.identities.Diagnostics) {
			return errTold
		}
	}
	if from, err := references(r.config.provider); err != nil || len(from) > 0 {
		return unsupported("a provider that is configured by %s", strings.Join(from, ", "))
	}
	config, diags := hcldec.Decode(r.config.provider, specOf(r.schemas.Provider), r.scope(nil, nil))
	if r.tellHCL(diags) {
		return errTold
	}
	packed := pack(config, typeOf(r.schemas.Provider.ValueType()))
	valid, err := r.server.ValidateProviderConfig(ctx, &tfprotov6.ValidateProviderConfigRequest{Config: packed})
	if err != nil {
		return err
	}
	if r.tell(fmt.Sprintf("provider[%q]", r.core.Address), valid.Diagnostics) {
		return errTold
	}
	if r.validating {
		return nil
	}
	resp, err := r.server.ConfigureProvider(ctx, &tfprotov6.ConfigureProviderRequest{TerraformVersion: r.head.TerraformVersion, Config: packed})
	if err != nil {
		return err
	}
	if r.tell(fmt.Sprintf("provider[%q]", r.core.Address), resp.Diagnostics) {
		return errTold
	}
	return nil
}

// schemaOf is a resource's or a data source's.
func (r *run) schemaOf(address string) (*tfprotov6.Schema, error) {
	name, schemas := typeName(address), r.schemas.ResourceSchemas
	if isData(address) {
		schemas = r.schemas.DataSourceSchemas
	}
	if schemas[name] == nil {
		return nil, unsupported("%s", address)
	}
	return schemas[name], knownSchema(name, schemas[name])
}

// validate is the first walk of every command.
func (r *run) validate(ctx context.Context) error {
	r.validating = true
	defer func() { r.validating = false }()
	if err := r.connect(ctx); err != nil {
		return err
	}
	for _, o := range r.objects {
		if _, err := r.schemaOf(o.resource); err != nil {
			return err
		}
	}
	for address, res := range r.config.resources {
		schema, err := r.schemaOf(address)
		if err != nil {
			return err
		}
		var of *each
		if res.forEach != nil {
			of = &each{cty.UnknownVal(cty.String), cty.DynamicVal}
		}
		config, diags := hcldec.Decode(res.body, specOf(schema), r.scope(res.needs, of))
		if !r.tellHCL(diags) {
			if _, err := r.valid(ctx, res, address, config); err != nil {
				return err
			}
		}
	}
	if r.failed {
		return errTold
	}
	return nil
}

// valid asks the provider whether a configuration is.
func (r *run) valid(ctx context.Context, res *resource, address string, config cty.Value) (bool, error) {
	packed := pack(config, config.Type())
	if res.data {
		resp, err := r.server.ValidateDataResourceConfig(ctx, &tfprotov6.ValidateDataResourceConfigRequest{TypeName: res.typ, Config: packed})
		if err != nil {
			return false, err
		}
		return !r.tell(address, resp.Diagnostics), nil
	}
	resp, err := r.server.ValidateResourceConfig(ctx, &tfprotov6.ValidateResourceConfigRequest{TypeName: res.typ, Config: packed})
	if err != nil {
		return false, err
	}
	return !r.tell(address, resp.Diagnostics), nil
}

// each is what each.key and each.value are.
type each struct{ key, value cty.Value }

// scope is what expressions see.
func (r *run) scope(needs []string, of *each) *hcl.EvalContext {
	r.mu.Lock()
	defer r.mu.Unlock()
	types, data := map[string]map[string]cty.Value{}, map[string]map[string]cty.Value{}
	for _, address := range needs {
		res, into := r.config.resources[address], types
		if res.data {
			into = data
		}
		if into[res.typ] == nil {
			into[res.typ] = map[string]cty.Value{}
		}
		into[res.typ][res.name] = r.seen(res)
	}
	variables := map[string]cty.Value{}
	for typ, named := range types {
		variables[typ] = cty.ObjectVal(named)
	}
	sources := map[string]cty.Value{}
	for typ, named := range data {
		sources[typ] = cty.ObjectVal(named)
	}
	variables["data"] = cty.ObjectVal(sources)
	if of != nil {
		variables["each"] = cty.ObjectVal(map[string]cty.Value{"key": of.key, "value": of.value})
	}
	return &hcl.EvalContext{Variables: variables, Functions: functions}
}

// seen is a resource as references see it.
func (r *run) seen(res *resource) cty.Value {
	parts, known := r.parts[res.address]
	switch {
	case res.forEach != nil && !known:
		return cty.DynamicVal
	case res.forEach != nil:
		return cty.ObjectVal(parts)
	case !known || parts[""] == cty.NilVal:
		schema, err := r.schemaOf(res.address)
		if err != nil {
			return cty.DynamicVal // which is told where it is declared
		}
		return cty.UnknownVal(typeOf(schema.ValueType()))
	}
	return parts[""]
}

func (r *run) see(address, key string, v cty.Value) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.parts[address] == nil {
		r.parts[address] = map[string]cty.Value{}
	}
	r.parts[address][key] = v
}

// What is printed.

func (r *run) print(kind string, what map[string]any) {
	what["type"] = kind
	line, err := json.Marshal(what)
	if err != nil {
		panic(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.printed = append(r.printed, string(line))
}

func (r *run) say(severity, address, summary, detail string) {
	if r.forPeople {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.printed, r.failed = append(r.printed, severity+": "+summary+"\n\n"+detail), r.failed || severity == "error"
		return
	}
	r.print("diagnostic", map[string]any{"diagnostic": map[string]string{"severity": severity, "summary": summary, "detail": detail, "address": address}})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = r.failed || severity == "error"
}

// tell prints diagnostics. It says whether there is an error among them.
func (r *run) tell(address string, diagnostics []*tfprotov6.Diagnostic) (failed bool) {
	for _, d := range diagnostics {
		severity := "warning"
		if d.Severity == tfprotov6.DiagnosticSeverityError {
			severity, failed = "error", true
		}
		r.say(severity, address, d.Summary, d.Detail)
	}
	return failed
}

// tellHCL prints what is wrong with the configuration as such, which has no address.
func (r *run) tellHCL(diags hcl.Diagnostics) bool {
	for _, d := range diags {
		severity := "error"
		if d.Severity == hcl.DiagWarning {
			severity = "warning"
		}
		r.say(severity, "", d.Summary, d.Detail)
	}
	return diags.HasErrors()
}

// refuse tells what core finds wrong about the provider.
func (r *run) refuse(address, summary string, wrong []string) bool {
	for _, w := range wrong {
		r.say("error", address, summary, "This is a bug in the provider: "+w)
	}
	return len(wrong) > 0
}

// plain is a value as JSON has it, with the names of the attributes that are not
// known left out.
func plain(v cty.Value) (known map[string]json.RawMessage, unknown []string) {
	known = map[string]json.RawMessage{}
	if v.IsNull() || !v.IsKnown() {
		return known, nil
	}
	for name, part := range v.AsValueMap() {
		if !part.IsWhollyKnown() {
			unknown = append(unknown, name)
			continue
		}
		text, err := ctyjson.Marshal(part, part.Type())
		if err != nil {
			panic(fmt.Errorf("%s: %w", name, err))
		}
		known[name] = text
	}
	slices.Sort(unknown)
	return known, unknown
}
