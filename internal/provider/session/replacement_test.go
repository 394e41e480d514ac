package session

import (
	"context"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
)

type fakePrivate map[string]string

func (f fakePrivate) GetKey(_ context.Context, key string) ([]byte, diag.Diagnostics) {
	if v, ok := f[key]; ok {
		return []byte(v), nil
	}
	return nil, nil
}

func TestHalfOfReplacement(t *testing.T) {
	tests := map[string]struct {
		private fakePrivate
		want    bool
	}{
		"replacement of the same application": {fakePrivate{applicationKey: `"shop/api"`}, true},
		"replacement by another application":  {fakePrivate{applicationKey: `"shop/web"`}, false},
		"replacement in another namespace":    {fakePrivate{applicationKey: `"yard/api"`}, false},
		"destroy":                             {fakePrivate{applicationKey: `"shop/api"`, destroyKey: "true"}, false},
		"tainted: nothing is left":            {fakePrivate{}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, diags := HalfOfReplacement(t.Context(), test.private, "shop", "api")
			if diags.HasError() || got != test.want {
				t.Errorf("got %v (%v), want %v", got, diags, test.want)
			}
		})
	}
}
