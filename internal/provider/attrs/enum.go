package attrs

import (
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
)

// OneOf accepts exactly the values of a typed list of package release, so that
// validator, documentation and code cannot disagree.
func OneOf[T ~string](values []T) validator.String {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = string(v)
	}
	return stringvalidator.OneOf(texts...)
}

// EnumText documents the same list: "`a` (does this), `b` (does that)".
func EnumText[T ~string](values []T, meaning map[T]string) string {
	var b strings.Builder
	for i, v := range values {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("`" + string(v) + "`")
		if m := meaning[v]; m != "" {
			b.WriteString(" (" + m + ")")
		}
	}
	return b.String()
}
