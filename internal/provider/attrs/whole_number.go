package attrs

import (
	"context"
	"fmt"
	"math"
	"math/big"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// WholeNumber32 is, with WholeNumber64, the type of every whole number that a
// user can write, in attributes (CustomType) and in maps (ElementType). Terraform
// has one type for all numbers, and the framework's own types call 1.5 an error
// of the provider; these say at the attribute what is wrong with it. Values are
// types.Int32 and types.Int64, as ever.
type WholeNumber32 struct{ basetypes.Int32Type }

// WholeNumber64 is as WholeNumber32.
type WholeNumber64 struct{ basetypes.Int64Type }

var (
	_ basetypes.Int32Typable = WholeNumber32{}
	_ basetypes.Int64Typable = WholeNumber64{}
)

func (WholeNumber32) String() string { return "wholeNumber32" }

func (WholeNumber64) String() string { return "wholeNumber64" }

// Equal is true of the framework's type, too, because that is what the values say
// that they have.
func (WholeNumber32) Equal(o attr.Type) bool {
	_, same := o.(WholeNumber32)
	return same || basetypes.Int32Type{}.Equal(o)
}

// Equal is as WholeNumber32's.
func (WholeNumber64) Equal(o attr.Type) bool {
	_, same := o.(WholeNumber64)
	return same || basetypes.Int64Type{}.Equal(o)
}

// ValueFromTerraform takes what Validate refuses for a value that is not known:
// a second error about it would say less.
func (t WholeNumber32) ValueFromTerraform(ctx context.Context, in tftypes.Value) (attr.Value, error) {
	if wrongNumber(in, math.MinInt32, math.MaxInt32) != nil {
		return basetypes.NewInt32Unknown(), nil
	}
	return t.Int32Type.ValueFromTerraform(ctx, in)
}

// ValueFromTerraform is as WholeNumber32's.
func (t WholeNumber64) ValueFromTerraform(ctx context.Context, in tftypes.Value) (attr.Value, error) {
	if wrongNumber(in, math.MinInt64, math.MaxInt64) != nil {
		return basetypes.NewInt64Unknown(), nil
	}
	return t.Int64Type.ValueFromTerraform(ctx, in)
}

// Validate refuses fractions, and numbers that have no room in 32 bits.
func (WholeNumber32) Validate(_ context.Context, in tftypes.Value, at path.Path) diag.Diagnostics {
	return refuseNumber(in, math.MinInt32, math.MaxInt32, at)
}

// Validate refuses fractions, and numbers that have no room in 64 bits.
func (WholeNumber64) Validate(_ context.Context, in tftypes.Value, at path.Path) diag.Diagnostics {
	return refuseNumber(in, math.MinInt64, math.MaxInt64, at)
}

func refuseNumber(in tftypes.Value, lowest, highest int64, at path.Path) diag.Diagnostics {
	n := wrongNumber(in, lowest, highest)
	switch {
	case n == nil:
		return nil
	case n.IsInf() || outOfRange(n, lowest, highest):
		return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(at, "Number out of range",
			fmt.Sprintf("%s is %s. It must be a whole number from %d to %d.", at, numberText(n), lowest, highest))}
	}
	return diag.Diagnostics{diag.NewAttributeErrorDiagnostic(at, "Not a whole number",
		fmt.Sprintf("%s is %s. It must be a whole number, such as %s.", at, numberText(n), nextWhole(n)))}
}

// wrongNumber is a number that is known and not a whole one of that range; else
// it is nil.
func wrongNumber(in tftypes.Value, lowest, highest int64) *big.Float {
	if !in.IsKnown() || in.IsNull() || !in.Type().Is(tftypes.Number) {
		return nil
	}
	n := new(big.Float)
	if in.As(&n) != nil || n.IsInt() && !outOfRange(n, lowest, highest) {
		return nil
	}
	return n
}

func outOfRange(n *big.Float, lowest, highest int64) bool {
	return n.Cmp(new(big.Float).SetInt64(lowest)) < 0 || n.Cmp(new(big.Float).SetInt64(highest)) > 0
}

// nextWhole is the least whole number above a fraction.
func nextWhole(fraction *big.Float) *big.Int {
	whole, _ := fraction.Int(nil) // toward zero
	if fraction.Sign() > 0 {
		whole.Add(whole, big.NewInt(1))
	}
	return whole
}

// numberText is a number as people write it: 3000000000, not 3e+09. Of what a
// division has left, it is the beginning.
func numberText(n *big.Float) string {
	if n.IsInf() || n.MantExp(nil) > 64 {
		return n.Text('g', 10)
	}
	const enough = 24
	text := n.Text('f', -1)
	if len(text) > enough {
		return text[:enough] + "…"
	}
	return text
}
