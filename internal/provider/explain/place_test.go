package explain_test

import (
	"errors"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
)

// TestPlace: a main deployment has everything at the top, a member what is its own.
func TestPlace(t *testing.T) {
	t.Parallel()
	member := path.Root("members").AtMapKey("api")
	for _, test := range []struct{ at, inMember path.Path }{
		{path.Empty(), member},
		{path.Root("deployment_id"), member.AtName("deployment_id")},
		{path.Root("application"), member.AtName("deployment_id")},
		{path.Root("namespace"), member.AtName("deployment_id")},
		{path.Root("traffic").AtName("service").AtName("ports").AtMapKey("http"), member.AtName("traffic").AtName("service").AtName("ports").AtMapKey("http")},
		{path.Root("clusters").AtListIndex(1), member.AtName("clusters").AtListIndex(1)},
		{path.Root("timeouts"), path.Root("timeouts")},
	} {
		if got := (explain.Place{}).At(test.at); !got.Equal(test.at) {
			t.Errorf("at the top, %s is at %s", test.at, got)
		}
		if got := explain.Member("api").At(test.at); !got.Equal(test.inMember) {
			t.Errorf("in a member, %s is at %s, want %s", test.at, got, test.inMember)
		}
	}
}

// TestErrorsWithoutAPlaceHaveNone: whoever looks at the path of a diagnostic finds
// none, instead of an empty one.
func TestErrorsWithoutAPlaceHaveNone(t *testing.T) {
	t.Parallel()
	var diags diag.Diagnostics
	explain.Error(&diags, errors.New("it is away"))
	if _, placed := diags[0].(diag.DiagnosticWithPath); placed {
		t.Errorf("it has a place: %v", diags[0])
	}
}
