package coretest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

func (r *run) apply(ctx context.Context) error {
	if err := r.plan(ctx); err != nil {
		return err
	}
	return r.carryOut(ctx)
}

// destroy refreshes by a plan of what is configured, as the CLI does, and then
// plans that nothing is left.
func (r *run) destroy(ctx context.Context) error {
	if err := r.plan(ctx); err != nil {
		return err
	}
	r.printed, r.changes = nil, nil // nobody is told twice
	if err := r.connect(ctx); err != nil {
		return err
	}
	waits := map[string][]string{}
	for _, o := range r.objects {
		waits[o.resource] = nil
	}
	err := r.walk(ctx, waits, func(ctx context.Context, address string) error {
		for _, o := range r.of(address) {
			if r.config.resources[address] != nil && r.config.resources[address].data {
				r.forget(o)
				continue
			}
			if err := r.planDestroy(ctx, o); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, c := range r.changes {
		r.print("planned_change", map[string]any{"change": map[string]any{"resource": map[string]any{"addr": c.instance()}, "action": c.action}})
	}
	r.outputs, r.config.outputs = map[string]storedOutput{}, nil
	return r.carryOut(ctx)
}

// node is a step of an apply.
type node struct {
	*change
	destroys, first bool // first: it is destroyed after what takes its place was created
}

// carryOut is the walk that does what is planned, and writes the state whatever
// comes of it.
func (r *run) carryOut(ctx context.Context) error {
	if err := r.connect(ctx); err != nil {
		return err
	}
	nodes := map[string]*node{}
	for i, c := range r.changes {
		id := fmt.Sprintf("%s (%d)", c.instance(), i)
		deposed := c.prior != nil && c.prior.deposed != ""
		if c.action == doDelete || c.action == doReplace {
			nodes[id+" destroy"] = &node{c, true, c.createFirst || deposed}
		}
		if c.action != doDelete && c.action != doNothing {
			nodes[id] = &node{c, false, false}
		}
	}
	err := r.walk(ctx, r.order(nodes), func(ctx context.Context, id string) error {
		n := nodes[id]
		switch {
		case n.destroys:
			return r.destroyObject(ctx, n)
		case n.action == doRead:
			return r.readData(ctx, r.config.resources[n.resource], n.change)
		}
		return r.applyInstance(ctx, n.change)
	})
	if err == nil && r.outputs == nil {
		err = r.keepOutputs()
	}
	if wrote := r.write(); wrote != nil {
		return wrote
	}
	return err
}

// order says which step waits for which: what is needed comes first; what is
// destroyed, after all that needed it. Where something is created before it is
// destroyed, a destroy waits for those that get the new one.
func (r *run) order(nodes map[string]*node) map[string][]string {
	waits := map[string][]string{}
	for id, n := range nodes {
		waits[id] = append(waits[id], []string{}...)
		for other, o := range nodes {
			switch {
			case id == other:
			case !n.destroys && !o.destroys && slices.Contains(r.config.closure(n.resource), o.resource):
				waits[id] = append(waits[id], other)
			case n.destroys && o.destroys && slices.Contains(o.needed, n.resource):
				waits[id] = append(waits[id], other)
			case n.destroys && !o.destroys:
				own := n.instance() == o.instance()
				tied := own || n.resource != o.resource && (slices.Contains(o.needed, n.resource) || slices.Contains(n.needed, o.resource))
				switch {
				case !tied || o.action == doRead:
				case n.first:
					waits[id] = append(waits[id], other)
				default:
					waits[other] = append(waits[other], id)
				}
			}
		}
	}
	return waits
}

// destroyObject destroys a current or a deposed object.
func (r *run) destroyObject(ctx context.Context, n *node) error {
	o, private := n.prior, n.private
	if o.deposed != "" {
		var err error
		if private, err = r.askDestroy(ctx, o); err != nil {
			return err
		}
	}
	typ := o.value.Type()
	none := cty.NullVal(typ)
	v, err := r.applyChange(ctx, o, o.instance(), typeName(o.resource), o.value, none, none, private, r.identityOf(o))
	if v == cty.NilVal {
		return err
	}
	if o.value = v; v.IsNull() && err == nil {
		r.forget(o)
		return nil
	}
	if err == nil {
		r.refuse(o.instance(), "Provider returned invalid result object after apply", []string{"a destroy left something"})
	}
	return orTold(err)
}

// applyChange asks the provider to carry out. The value is NilVal where the
// object is to stay as it was.
func (r *run) applyChange(ctx context.Context, o *object, address, typ string, prior, config, planned cty.Value, private []byte, identity *tfprotov6.ResourceIdentityData) (cty.Value, error) {
	t := prior.Type()
	resp, err := r.server.ApplyResourceChange(ctx, &tfprotov6.ApplyResourceChangeRequest{
		TypeName: typ, PriorState: pack(prior, t), Config: pack(config, t), PlannedState: pack(planned, t), PlannedPrivate: private, PlannedIdentity: identity,
	})
	if err != nil {
		return cty.NilVal, err
	}
	failed := r.tell(address, resp.Diagnostics)
	v, err := unpack(resp.NewState, t)
	if err != nil {
		return cty.NilVal, err
	}
	if !v.IsWhollyKnown() {
		r.refuse(address, "Provider returned invalid result object after apply", []string{"the result has unknown values: " + show(v)})
		failed, v = true, cty.UnknownAsNull(v)
	}
	if failed && v.IsNull() {
		return cty.NilVal, errTold
	}
	if !failed && !planned.IsNull() {
		failed = r.refuse(address, "Provider produced inconsistent result after apply", incompatible(planned, v, address))
	}
	if !v.IsNull() {
		o.private = resp.Private
		if err := r.keepIdentity(o, resp.NewIdentity); err != nil {
			return v, err
		}
	}
	if failed {
		return v, errTold
	}
	return v, nil
}

// applyInstance creates or updates. It plans again first, with what has become
// known; what was known before must stay.
func (r *run) applyInstance(ctx context.Context, c *change) error {
	res, was := r.config.resources[c.resource], *c
	now := change{resource: c.resource, key: c.key, of: c.of, prior: c.prior, createFirst: c.createFirst}
	replace := c.action == doReplace
	if replace {
		now.prior = nil
	}
	if err := r.propose(ctx, res, &now); err != nil {
		return err
	}
	wrong := incompatible(was.after, now.after, c.instance())
	if now.action != was.action && (!replace || now.action != doCreate) && (was.action != doUpdate || now.action != doNothing) {
		wrong = append(wrong, fmt.Sprintf("%s: was to %s, is now to %s", c.instance(), was.action, now.action))
	}
	if r.refuse(c.instance(), "Provider produced inconsistent final plan", wrong) {
		return errTold
	}
	if now.action == doNothing {
		return nil
	}
	o := &object{resource: c.resource, key: c.key}
	prior := cty.NullVal(now.after.Type())
	if c.action == doUpdate {
		o, prior = c.prior, c.prior.value
	}
	if replace && c.createFirst {
		r.mu.Lock()
		c.prior.deposed = r.freeKey()
		r.mu.Unlock()
	}
	v, err := r.applyChange(ctx, o, c.instance(), res.typ, prior, now.config, now.after, now.private, now.plannedIdentity)
	if v != cty.NilVal && !v.IsNull() {
		o.value, o.dependencies, o.createFirst = v, r.managed(c.resource), res.createFirst
		if c.action != doUpdate {
			o.tainted = err != nil
			r.keep(o)
		}
		r.see(c.resource, c.key, v)
	} else if replace && c.createFirst {
		c.prior.deposed = "" // nothing took its place
	}
	if err == nil && (v == cty.NilVal || v.IsNull()) {
		r.refuse(c.instance(), "Provider produced inconsistent result after apply", []string{"nothing is there"})
		return errTold
	}
	return err
}

// freeKey is one by which no deposed object is known yet.
func (r *run) freeKey() string {
	for n := 1; ; n++ {
		key := fmt.Sprintf("%08x", n)
		if !slices.ContainsFunc(r.objects, func(o *object) bool { return o.deposed == key }) {
			return key
		}
	}
}

func (r *run) keepOutputs() error {
	outputs := map[string]storedOutput{}
	for _, name := range slices.Sorted(maps.Keys(r.config.outputs)) {
		v, err := r.output(name)
		if err != nil {
			return err
		}
		if !v.IsWhollyKnown() {
			continue // a refresh alone makes nothing
		}
		value, err1 := ctyjson.Marshal(v, v.Type())
		typ, err2 := ctyjson.MarshalType(v.Type())
		if err1 != nil || err2 != nil {
			return fmt.Errorf("output %s: %w", name, err1)
		}
		outputs[name] = storedOutput{json.RawMessage(value), json.RawMessage(typ)}
	}
	r.outputs = outputs
	return nil
}

// identityOf is what a provider gets of an object's identity; nil without.
func (r *run) identityOf(o *object) *tfprotov6.ResourceIdentityData {
	schema := r.identities.IdentitySchemas[typeName(o.resource)]
	if o.identity == nil || schema == nil {
		return nil
	}
	typ := typeOf(schema.ValueType())
	v, err := ctyjson.Unmarshal(o.identity, typ)
	if err != nil {
		panic(fmt.Errorf("identity of %s: %w", o.instance(), err))
	}
	return &tfprotov6.ResourceIdentityData{IdentityData: pack(v, typ)}
}

// keepIdentity takes over an identity; a resource that has one must tell it.
func (r *run) keepIdentity(o *object, identity *tfprotov6.ResourceIdentityData) error {
	schema := r.identities.IdentitySchemas[typeName(o.resource)]
	if schema == nil {
		return nil
	}
	v := cty.NullVal(cty.DynamicPseudoType)
	if identity != nil {
		var err error
		if v, err = unpack(identity.IdentityData, typeOf(schema.ValueType())); err != nil {
			return err
		}
	}
	if v.IsNull() || !v.IsWhollyKnown() {
		r.refuse(o.instance(), "Provider produced invalid identity", []string{show(v)})
		return errTold
	}
	text, err := ctyjson.Marshal(v, v.Type())
	o.identity = text
	return err
}
