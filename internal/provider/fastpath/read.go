package fastpath

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// Refresher is a resource that can read what there is before the framework has
// taken its state apart.
type Refresher interface {
	resource.Resource

	// Refresh reads what there is. It is false, and has asked for nothing, where that
	// is not how such a state is read.
	Refresh(ctx context.Context, state Object, private Private) (Refreshed, bool)
}

// Refreshed is what a refresh has found.
type Refreshed struct {
	Same     bool              // the state has all of it, and there is nothing to say
	Identity map[string]string // empty for a resource without one
	Found    any               // for Read, which goes on with it where it is not the same: see [Found]
}

// Private is private state, JSON by key.
type Private map[string][]byte

// GetKey is as the framework's.
func (p Private) GetKey(_ context.Context, key string) ([]byte, diag.Diagnostics) { return p[key], nil }

// SetKey is as the framework's, for valid JSON.
func (p Private) SetKey(_ context.Context, key string, value []byte) diag.Diagnostics {
	if p[key] = value; len(value) == 0 {
		delete(p, key)
	}
	return nil
}

type foundKey struct{}

// Found is what the fast way has found for a Read, and could not answer with: it is
// told there, and not asked for again.
func Found[T any](ctx context.Context) (T, bool) {
	found, ok := ctx.Value(foundKey{}).(T)
	return found, ok
}

// ReadResource answers with what came in where that is what there is.
func (s *server) ReadResource(ctx context.Context, req *tfprotov6.ReadResourceRequest) (*tfprotov6.ReadResourceResponse, error) {
	res, ok := s.configured(req.TypeName).(Refresher)
	if !ok || req.ProviderMeta != nil && !isNull(req.ProviderMeta) || !s.types[req.TypeName].plain() {
		return s.framework.ReadResource(ctx, req)
	}
	state, ok := objectOf(req.CurrentState)
	private, fine := privateOf(req.Private)
	if !ok || !fine {
		return s.framework.ReadResource(ctx, req)
	}
	found, ok := res.Refresh(ctx, state, private)
	if !ok {
		return s.framework.ReadResource(ctx, req)
	}
	if resp := s.same(req, found, private); resp != nil {
		return resp, nil
	}
	return s.framework.ReadResource(context.WithValue(ctx, foundKey{}, found.Found), req)
}

// same is the answer where nothing has changed; nil where the framework has
// something to say.
func (s *server) same(req *tfprotov6.ReadResourceRequest, found Refreshed, private Private) *tfprotov6.ReadResourceResponse {
	if !found.Same {
		return nil
	}
	resp := &tfprotov6.ReadResourceResponse{NewState: req.CurrentState, NewIdentity: req.CurrentIdentity}
	if s.types[req.TypeName].identifies {
		identity, ok := identityOf(req.CurrentIdentity, found.Identity)
		if !ok {
			return nil
		}
		resp.NewIdentity = identity
	}
	text, err := private.bytes()
	if err != nil {
		return nil
	}
	resp.Private = text
	return resp
}

// privateOf is private state; false where the framework keeps something of its own
// in it, or has something to say of it.
func privateOf(text []byte) (Private, bool) {
	private := Private{}
	if len(text) > 0 && json.Unmarshal(text, &private) != nil {
		return nil, false
	}
	for key, value := range private {
		if strings.HasPrefix(key, ".") || !json.Valid(value) {
			return nil, false
		}
	}
	return private, true
}

func (p Private) bytes() ([]byte, error) {
	if len(p) == 0 {
		return nil, nil
	}
	return json.Marshal(p)
}

// identityOf is the identity to answer with: the one that came in where it says the
// same. A CLI that keeps none sends none.
func identityOf(current *tfprotov6.ResourceIdentityData, is map[string]string) (*tfprotov6.ResourceIdentityData, bool) {
	form, values := tftypes.Object{AttributeTypes: map[string]tftypes.Type{}}, map[string]tftypes.Value{}
	for name, text := range is {
		form.AttributeTypes[name], values[name] = tftypes.String, tftypes.NewValue(tftypes.String, text)
	}
	now, err := tfprotov6.NewDynamicValue(form, tftypes.NewValue(form, values))
	if err != nil {
		return nil, false
	}
	if current == nil || current.IdentityData == nil || isNull(current.IdentityData) {
		return &tfprotov6.ResourceIdentityData{IdentityData: &now}, true
	}
	was, ok := objectOf(current.IdentityData)
	other, ok2 := objectOf(&now)
	return current, ok && ok2 && maps.EqualFunc(was, other, bytes.Equal)
}
