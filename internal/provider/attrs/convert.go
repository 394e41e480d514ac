package attrs

// Present leaves out the keys whose value is null: in Terraform, null is "not set".
func Present[V any](m map[string]*V) map[string]V {
	return ConvertMap(m, func(v V) V { return v })
}

// ConvertMap leaves out the keys whose value is null.
func ConvertMap[M, V any](models map[string]*M, convert func(M) V) map[string]V {
	if len(models) == 0 {
		return nil
	}
	out := make(map[string]V, len(models))
	for k, m := range models {
		if m != nil {
			out[k] = convert(*m)
		}
	}
	return out
}

// ConvertList converts each element; an empty list is nil.
func ConvertList[A, B any](list []A, convert func(A) B) []B {
	if len(list) == 0 {
		return nil
	}
	out := make([]B, len(list))
	for i, a := range list {
		out[i] = convert(a)
	}
	return out
}
