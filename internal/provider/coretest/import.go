package coretest

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// Knows says whether a command is one that Run knows, as opposed to one of the
// CLI's many others.
func Knows(args ...string) bool {
	return slices.Contains(args, "-json") && !slices.Contains(args, "show") || len(args) > 0 && args[0] == "import" || len(args) > 1 && args[0] == "state" && args[1] == "rm"
}

// importObject brings what is known by an id into the state.
func (r *run) importObject(ctx context.Context, address, id string) error {
	if err := r.connect(ctx); err != nil {
		return err
	}
	for _, o := range r.objects {
		if err := r.upgrade(ctx, o); err != nil { // the state is written as it was
			return err
		}
	}
	res := r.config.resources[address]
	if res == nil || res.forEach != nil || res.data {
		return unsupported("an import of %s", address)
	}
	schema, err := r.schemaOf(address)
	if err != nil {
		return err
	}
	if there := r.of(address); slices.ContainsFunc(there, func(o *object) bool { return o.deposed == "" }) {
		r.say("error", address, "Resource already managed by Terraform", "It is in the state.")
		return errTold
	}
	resp, err := r.server.ImportResourceState(ctx, &tfprotov6.ImportResourceStateRequest{TypeName: res.typ, ID: id})
	if err != nil {
		return err
	}
	if r.tell(address, resp.Diagnostics) {
		return errTold
	}
	if len(resp.ImportedResources) != 1 || resp.ImportedResources[0].TypeName != res.typ {
		r.refuse(address, "Provider returned an import of something else", []string{id})
		return errTold
	}
	imported, o := resp.ImportedResources[0], &object{resource: address}
	if o.value, err = unpack(imported.State, typeOf(schema.ValueType())); err != nil {
		return err
	}
	if o.private = imported.Private; imported.Identity != nil {
		if err := r.keepIdentity(o, imported.Identity); err != nil {
			return err
		}
	}
	gone, err := r.read(ctx, o)
	if err != nil {
		return err
	}
	if gone {
		r.say("error", address, "Cannot import non-existent remote object", "The provider has found no object with the id \""+id+"\".")
		return errTold
	}
	o.dependencies, o.createFirst = r.managed(address), res.createFirst
	r.keep(o)
	return r.write()
}

// remove takes objects out of the state, and leaves them where they are.
func (r *run) remove(ctx context.Context, addresses []string) error {
	if err := r.connect(ctx); err != nil {
		return err
	}
	for _, o := range slices.Clone(r.objects) {
		if slices.Contains(addresses, o.resource) || slices.Contains(addresses, o.instance()) {
			r.forget(o)
		} else if err := r.upgrade(ctx, o); err != nil {
			return err
		}
	}
	return r.write()
}
