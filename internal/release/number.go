package release

// Are is the verb for so many of something: 1 of 3 is.
func Are[N int | int32](n N) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// Were is Are in the past.
func Were[N int | int32](n N) string {
	if n == 1 {
		return "was"
	}
	return "were"
}
