package coretest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/zclconf/go-cty/cty"
)

// The words that the CLI has for what is planned.
const (
	doNothing = "noop"
	doCreate  = "create"
	doUpdate  = "update"
	doReplace = "replace"
	doDelete  = "delete"
	doRead    = "read"
)

// change is what is planned for an instance.
type change struct {
	resource, key string
	of            *each
	action        string
	prior         *object // nil where there is none
	after         cty.Value
	private       []byte   // what the provider planned
	needed        []string // the resources that it needs, and needed
	createFirst   bool

	config          cty.Value
	plannedIdentity *tfprotov6.ResourceIdentityData
}

func (c *change) instance() string { return instanceOf(c.resource, c.key) }

// plan is the walk that refreshes, and plans what is to do.
func (r *run) plan(ctx context.Context) error {
	if err := r.validate(ctx); err != nil {
		return err
	}
	if err := r.connect(ctx); err != nil {
		return err
	}
	waits := map[string][]string{}
	for address, res := range r.config.resources {
		waits[address] = res.needs
	}
	for _, o := range r.objects {
		if waits[o.resource] == nil {
			waits[o.resource] = nil // no configuration any more
		}
	}
	err := r.walk(ctx, waits, r.planResource)
	if err != nil && !errors.Is(err, errTold) {
		return err
	}
	if r.refreshOnly {
		r.changes = nil
	}
	for _, c := range r.changes {
		if c.action != doNothing {
			known, unknown := plain(c.after)
			r.print("planned_change", map[string]any{"change": map[string]any{
				"resource": map[string]any{"addr": c.instance()}, "action": c.action, "after": known, "unknown": unknown,
			}})
		}
	}
	if err != nil {
		return err
	}
	return r.printOutputs()
}

// walk is a walk whose nodes may fail, or be beyond what is known here.
func (r *run) walk(ctx context.Context, waits map[string][]string, visit func(ctx context.Context, node string) error) error {
	var mu sync.Mutex
	var beyond error
	ordered := walk(waits, func(node string) bool {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		err := visit(ctx, node)
		if err != nil && !errors.Is(err, errTold) {
			mu.Lock()
			defer mu.Unlock()
			beyond = fmt.Errorf("%s: %w", node, err)
		}
		return err == nil
	})
	switch {
	case !ordered:
		return unsupported("a graph with a cycle")
	case beyond != nil:
		return beyond
	case r.failed:
		return errTold
	}
	return nil
}

// planResource plans a resource's instances, those that are configured and those
// that there are.
func (r *run) planResource(ctx context.Context, address string) error {
	res, wanted := r.config.resources[address], map[string]*each{}
	if res != nil {
		var err error
		if wanted, err = r.instances(res); err != nil {
			return err
		}
		r.mu.Lock()
		r.parts[address] = map[string]cty.Value{}
		r.mu.Unlock()
	}
	there := r.of(address)
	var work []func() error
	for _, o := range there {
		if o.deposed != "" || wanted[o.key] == nil {
			work = append(work, func() error { return r.planGone(ctx, o) })
		}
	}
	for key, of := range wanted {
		work = append(work, func() error {
			if res.data {
				return r.planData(ctx, res, key, of)
			}
			i := slices.IndexFunc(there, func(o *object) bool { return o.key == key && o.deposed == "" })
			var prior *object
			if i >= 0 {
				prior = there[i]
			}
			return r.planInstance(ctx, res, key, of, prior)
		})
	}
	errs := make([]error, len(work))
	var all sync.WaitGroup
	for i, do := range work {
		all.Go(func() { errs[i] = do() })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil && !errors.Is(err, errTold) {
			return err
		}
	}
	if slices.Contains(errs, errTold) {
		return errTold
	}
	return nil
}

// instances are the keys of a resource; one, "", without for_each.
func (r *run) instances(res *resource) (map[string]*each, error) {
	if res.forEach == nil {
		return map[string]*each{"": {}}, nil
	}
	v, diags := res.forEach.Value(r.scope(res.needs, nil))
	if r.tellHCL(diags) {
		return nil, errTold
	}
	if !v.IsWhollyKnown() || v.IsNull() || !v.CanIterateElements() {
		r.say("error", res.address, "Invalid for_each argument", "Its keys are not known.")
		return nil, errTold
	}
	all := map[string]*each{}
	for it := v.ElementIterator(); it.Next(); {
		key, value := it.Element()
		if v.Type().IsSetType() {
			key = value
		}
		all[key.AsString()] = &each{key, value}
	}
	return all, nil
}

func (r *run) of(address string) []*object {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.objects), func(o *object) bool { return o.resource != address })
}

func (r *run) forget(o *object) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.objects = slices.DeleteFunc(r.objects, func(other *object) bool { return other == o })
}

func (r *run) keep(o *object) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.objects = append(r.objects, o)
}

func (r *run) planned(c *change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes = append(r.changes, c)
}

// refresh reads what there is of an object; gone says that it is not there.
func (r *run) refresh(ctx context.Context, o *object) (gone bool, err error) {
	if err := r.upgrade(ctx, o); err != nil || o.value.IsNull() {
		return true, err
	}
	return r.read(ctx, o)
}

// read is refresh for an object that has a value.
func (r *run) read(ctx context.Context, o *object) (gone bool, err error) {
	typ := o.value.Type()
	resp, err := r.server.ReadResource(ctx, &tfprotov6.ReadResourceRequest{
		TypeName: typeName(o.resource), CurrentState: pack(o.value, typ), Private: o.private, CurrentIdentity: r.identityOf(o),
	})
	if err != nil {
		return false, err
	}
	if r.tell(o.instance(), resp.Diagnostics) {
		return false, errTold
	}
	before := o.value
	if o.value, err = unpack(resp.NewState, typ); err != nil {
		return false, err
	}
	if r.refreshOnly && !before.RawEquals(o.value) {
		r.print("resource_drift", map[string]any{"change": map[string]any{"resource": map[string]any{"addr": o.instance()}}})
	}
	if o.value.IsNull() {
		r.forget(o)
		return true, nil
	}
	if !o.value.IsWhollyKnown() {
		r.refuse(o.instance(), "Provider produced invalid object", []string{"what was read is not known"})
		return false, errTold
	}
	o.private = resp.Private
	return false, r.keepIdentity(o, resp.NewIdentity)
}

// planGone plans the destroy of what is configured no more, or deposed.
func (r *run) planGone(ctx context.Context, o *object) error {
	if gone, err := r.refresh(ctx, o); err != nil || gone || r.refreshOnly {
		return err
	}
	return r.planDestroy(ctx, o)
}

func (r *run) planDestroy(ctx context.Context, o *object) error {
	private, err := r.askDestroy(ctx, o)
	if err == nil {
		r.planned(&change{resource: o.resource, key: o.key, action: doDelete, prior: o, after: cty.NullVal(o.value.Type()), private: private, needed: o.dependencies, createFirst: o.createFirst})
	}
	return err
}

func (r *run) askDestroy(ctx context.Context, o *object) (private []byte, err error) {
	typ := o.value.Type()
	none := pack(cty.NullVal(typ), typ)
	resp, err := r.server.PlanResourceChange(ctx, &tfprotov6.PlanResourceChangeRequest{
		TypeName: typeName(o.resource), PriorState: pack(o.value, typ), ProposedNewState: none, Config: none, PriorPrivate: o.private, PriorIdentity: r.identityOf(o),
	})
	if err != nil {
		return nil, err
	}
	if r.tell(o.instance(), resp.Diagnostics) {
		return nil, errTold
	}
	if v, err := unpack(resp.PlannedState, typ); err != nil || !v.IsNull() {
		r.refuse(o.instance(), "Provider produced invalid plan", []string{"a destroy leaves something"})
		return nil, errTold
	}
	return resp.PlannedPrivate, nil
}

// planInstance refreshes and plans what is configured.
func (r *run) planInstance(ctx context.Context, res *resource, key string, of *each, prior *object) error {
	c := &change{resource: res.address, key: key, of: of, prior: prior, needed: r.config.closure(res.address), createFirst: res.createFirst}
	if prior != nil {
		gone, err := r.refresh(ctx, prior)
		if err != nil {
			return err
		}
		if gone {
			c.prior = nil
		} else {
			c.needed = append(c.needed, prior.dependencies...)
			prior.dependencies, prior.createFirst = r.managed(res.address), res.createFirst
		}
	}
	if r.refreshOnly {
		if c.prior != nil {
			r.see(res.address, key, c.prior.value)
		}
		return nil
	}
	if err := r.propose(ctx, res, c); err != nil {
		return err
	}
	r.see(res.address, key, c.after)
	r.planned(c)
	return nil
}

// propose asks the provider what it plans, and decides what that means.
func (r *run) propose(ctx context.Context, res *resource, c *change) error {
	schema, err := r.schemaOf(res.address)
	if err != nil {
		return err
	}
	var of *each
	if res.forEach != nil {
		of = c.of
	}
	config, diags := hcldec.Decode(res.body, specOf(schema), r.scope(res.needs, of))
	if r.tellHCL(diags) {
		return errTold
	}
	if ok, err := r.valid(ctx, res, c.instance(), config); err != nil || !ok {
		return orTold(err)
	}
	prior, private, identity := cty.NullVal(config.Type()), []byte(nil), (*tfprotov6.ResourceIdentityData)(nil)
	if c.prior != nil {
		prior, private, identity = c.prior.value, c.prior.private, r.identityOf(c.prior)
	}
	planned, resp, err := r.ask(ctx, schema, c.instance(), res.typ, config, prior, private, identity, false)
	if err != nil {
		return err
	}
	replaced := slices.Contains(r.replace, c.instance())
	for _, at := range resp.RequiresReplace {
		replaced = replaced || !partAt(prior, at).RawEquals(partAt(planned, at))
	}
	switch {
	case c.prior == nil:
		c.action = doCreate
	case replaced:
		c.action = doReplace
		if planned, resp, err = r.ask(ctx, schema, c.instance(), res.typ, config, cty.NullVal(config.Type()), resp.PlannedPrivate, nil, true); err != nil {
			return err
		}
	case planned.RawEquals(prior):
		c.action = doNothing
	default:
		c.action = doUpdate
	}
	c.after, c.private = planned, resp.PlannedPrivate
	c.config, c.plannedIdentity = config, resp.PlannedIdentity
	return nil
}

func orTold(err error) error {
	if err != nil {
		return err
	}
	return errTold
}

// ask asks for a plan, and refuses one that does not respect the configuration.
// What it warns of when it is asked again is no news.
func (r *run) ask(ctx context.Context, schema *tfprotov6.Schema, address, typ string, config, prior cty.Value, private []byte, identity *tfprotov6.ResourceIdentityData, again bool) (cty.Value, *tfprotov6.PlanResourceChangeResponse, error) {
	proposed := proposedObject(schema.Block.Attributes, prior, config)
	resp, err := r.server.PlanResourceChange(ctx, &tfprotov6.PlanResourceChangeRequest{
		TypeName: typ, Config: pack(config, config.Type()), PriorState: pack(prior, config.Type()), ProposedNewState: pack(proposed, config.Type()),
		PriorPrivate: private, PriorIdentity: identity,
	})
	if err != nil {
		return cty.NilVal, nil, err
	}
	wrong := slices.ContainsFunc(resp.Diagnostics, func(d *tfprotov6.Diagnostic) bool { return d.Severity == tfprotov6.DiagnosticSeverityError })
	if !again || wrong {
		r.tell(address, resp.Diagnostics)
	}
	if wrong {
		return cty.NilVal, nil, errTold
	}
	planned, err := unpack(resp.PlannedState, config.Type())
	if err != nil {
		return cty.NilVal, nil, err
	}
	if r.refuse(address, "Provider produced invalid plan", invalidPlan(schema.Block.Attributes, prior, config, planned, address)) {
		return cty.NilVal, nil, errTold
	}
	return planned, resp, nil
}

// partAt is what a value has at a path; null where it has nothing.
func partAt(v cty.Value, at *tftypes.AttributePath) cty.Value {
	for _, step := range at.Steps() {
		if !v.IsKnown() {
			return cty.DynamicVal
		}
		if v.IsNull() {
			break
		}
		key := cty.NilVal
		switch s := step.(type) {
		case tftypes.AttributeName:
			v = v.GetAttr(string(s))
			continue
		case tftypes.ElementKeyString:
			key = cty.StringVal(string(s))
		case tftypes.ElementKeyInt:
			key = cty.NumberIntVal(int64(s))
		}
		if key == cty.NilVal || !v.HasIndex(key).True() {
			return cty.NullVal(cty.DynamicPseudoType)
		}
		v = v.Index(key)
	}
	if v.IsKnown() && v.IsNull() {
		return cty.NullVal(cty.DynamicPseudoType)
	}
	return v
}

// planData reads a data source where all is known that it takes, and leaves it to
// the apply where not.
func (r *run) planData(ctx context.Context, res *resource, key string, of *each) error {
	schema, err := r.schemaOf(res.address)
	if err != nil {
		return err
	}
	c := &change{resource: res.address, key: key, of: of, action: doRead}
	config, err := r.dataConfig(res, c, schema)
	if err != nil {
		return err
	}
	if ok, err := r.valid(ctx, res, c.instance(), config); err != nil || !ok {
		return orTold(err)
	}
	if config.IsWhollyKnown() && !r.pending(res) {
		return r.readData(ctx, res, c)
	}
	values := map[string]cty.Value{}
	for _, a := range schema.Block.Attributes {
		values[a.Name] = config.GetAttr(a.Name)
		if a.Computed && values[a.Name].IsNull() {
			values[a.Name] = cty.UnknownVal(values[a.Name].Type())
		}
	}
	c.after = cty.ObjectVal(values)
	r.see(res.address, key, c.after)
	r.planned(c)
	return nil
}

// pending says whether what depends_on names, or a resource that is referred to, is
// to change.
func (r *run) pending(res *resource) bool {
	behind := append(slices.Clone(res.dependsOn), slices.DeleteFunc(slices.Clone(res.needs), isData)...)
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.changes, func(c *change) bool { return c.action != doNothing && slices.Contains(behind, c.resource) })
}

func (r *run) dataConfig(res *resource, c *change, schema *tfprotov6.Schema) (cty.Value, error) {
	var of *each
	if res.forEach != nil {
		of = c.of
	}
	config, diags := hcldec.Decode(res.body, specOf(schema), r.scope(res.needs, of))
	if r.tellHCL(diags) {
		return config, errTold
	}
	return config, nil
}

func (r *run) readData(ctx context.Context, res *resource, c *change) error {
	schema, err := r.schemaOf(res.address)
	if err != nil {
		return err
	}
	config, err := r.dataConfig(res, c, schema)
	if err != nil {
		return err
	}
	resp, err := r.server.ReadDataSource(ctx, &tfprotov6.ReadDataSourceRequest{TypeName: res.typ, Config: pack(config, config.Type())})
	if err != nil {
		return err
	}
	if r.tell(c.instance(), resp.Diagnostics) {
		return errTold
	}
	v, err := unpack(resp.State, config.Type())
	if err != nil {
		return err
	}
	if v.IsNull() || !v.IsWhollyKnown() {
		r.refuse(c.instance(), "Provider produced invalid object", []string{"a data source is null, or not known"})
		return errTold
	}
	r.keep(&object{resource: res.address, key: c.key, value: v})
	r.see(res.address, c.key, v)
	return nil
}

// managed are the resources that a state remembers as needed.
func (r *run) managed(address string) []string {
	return slices.DeleteFunc(r.config.closure(address), isData)
}

func isData(address string) bool { return strings.HasPrefix(address, "data.") }

// printOutputs tells what is known of outputs at plan.
func (r *run) printOutputs() error {
	all := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(r.config.outputs)) {
		v, err := r.output(name)
		if err != nil {
			return err
		}
		known, unknown := plain(cty.ObjectVal(map[string]cty.Value{"value": v}))
		all[name] = map[string]any{"value": known["value"], "unknown": len(unknown) > 0}
	}
	if len(all) > 0 {
		r.print("outputs", map[string]any{"planned": all})
	}
	return nil
}

func (r *run) output(name string) (cty.Value, error) {
	expr := r.config.outputs[name]
	needs, err := referencesOf(expr.Variables())
	if err != nil {
		return cty.NilVal, err
	}
	v, diags := expr.Value(r.scope(needs, nil))
	if r.tellHCL(diags) {
		return cty.NilVal, errTold
	}
	return v, nil
}
