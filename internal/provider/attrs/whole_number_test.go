package attrs

import (
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/attr/xattr"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// What is said of a number that is not a whole one of its range, in words.
func TestWholeNumberInWords(t *testing.T) {
	at := path.Root("replicas")
	third := new(big.Float).SetPrec(512).Quo(big.NewFloat(1).SetPrec(512), big.NewFloat(3))
	for _, c := range []struct {
		typ    xattr.TypeWithValidate //nolint:staticcheck // the framework has no other way to refuse an element of a map
		number any
		want   string
	}{
		{WholeNumber32{}, 1.5, "Not a whole number: replicas is 1.5. It must be a whole number, such as 2."},
		{WholeNumber32{}, 0.25, "Not a whole number: replicas is 0.25. It must be a whole number, such as 1."},
		{WholeNumber64{}, -1.5, "Not a whole number: replicas is -1.5. It must be a whole number, such as -1."},
		{WholeNumber64{}, third, "Not a whole number: replicas is 0.3333333333333333333333…. It must be a whole number, such as 1."},
		{WholeNumber32{}, 3e9, "Number out of range: replicas is 3000000000. It must be a whole number from -2147483648 to 2147483647."},
		{WholeNumber32{}, 3e9 + 0.5, "Number out of range: replicas is 3000000000.5. It must be a whole number from -2147483648 to 2147483647."},
		{WholeNumber64{}, -1e30, "Number out of range: replicas is -1e+30. It must be a whole number from -9223372036854775808 to 9223372036854775807."},
		{WholeNumber32{}, new(big.Float).SetInf(false), "Number out of range: replicas is +Inf. It must be a whole number from -2147483648 to 2147483647."},
		{WholeNumber32{}, math.MaxInt32, ""},
		{WholeNumber32{}, math.MinInt32, ""},
		{WholeNumber64{}, math.MaxInt64, ""},
		{WholeNumber64{}, math.MinInt64, ""},
		{WholeNumber32{}, nil, ""},
		{WholeNumber32{}, tftypes.UnknownValue, ""},
	} {
		in := tftypes.NewValue(tftypes.Number, c.number)
		var said []string
		for _, d := range c.typ.Validate(t.Context(), in, at) {
			said = append(said, d.Summary()+": "+d.Detail())
		}
		if got := strings.Join(said, "\n"); got != c.want {
			t.Errorf("%v: %q, want %q", c.number, got, c.want)
		}
		v, err := c.typ.ValueFromTerraform(t.Context(), in)
		if err != nil || v.IsUnknown() != (c.want != "" || c.number == tftypes.UnknownValue) || v.IsNull() != (c.number == nil) {
			t.Errorf("%v is %v, %v", c.number, v, err)
		}
	}
}
