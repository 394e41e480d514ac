package fastpath

import (
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// Core proposes the prior value of what a configuration leaves out. The framework
// puts the schema's default in its place, so that a proposed state which is the
// prior one may be a change all the same: of `replicas = 3`, removed.

// holds says that a prior value has every default that its configuration asks for.
func (s *shape) holds(config, prior tftypes.Value) bool {
	switch {
	case config.IsNull() && s.own != nil:
		return prior.Equal(*s.own)
	case !s.defaults:
		return true
	case config.IsNull() || prior.IsNull() || !config.IsKnown():
		return config.IsNull() && prior.IsNull()
	}
	switch s.nesting {
	case single:
		return s.partsHold(config, prior)
	case list:
		var a, b []tftypes.Value
		if config.As(&a) != nil || prior.As(&b) != nil || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !s.partsHold(a[i], b[i]) {
				return false
			}
		}
		return true
	case mapping:
		var a, b map[string]tftypes.Value
		if config.As(&a) != nil || prior.As(&b) != nil || len(a) != len(b) {
			return false
		}
		for key := range a {
			if other, ok := b[key]; !ok || !s.partsHold(a[key], other) {
				return false
			}
		}
		return true
	case set: // which element is which cannot be told
	}
	return false
}

// partsHold is holds of an object's attributes.
func (s *shape) partsHold(config, prior tftypes.Value) bool {
	var a, b map[string]tftypes.Value
	if config.IsNull() || prior.IsNull() || config.As(&a) != nil || prior.As(&b) != nil {
		return false
	}
	for name, part := range s.parts {
		if !part.holds(a[name], b[name]) {
			return false
		}
	}
	return true
}
