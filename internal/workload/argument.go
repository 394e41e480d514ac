package workload

// ValidateImage finds what is wrong with an image reference that stands alone.
func ValidateImage(image string) []Problem {
	r := &report{}
	checkImage(r, path{}, image)
	return r.problems
}

// ValidateApplication finds what is wrong with an application's name.
func ValidateApplication(application string) []Problem {
	r := &report{}
	checkApplication(r, path{}, application)
	return r.problems
}
