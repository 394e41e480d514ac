package mask

import "testing"

func TestWithin(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"one line":                          "one line",
		"denied\nApply complete!":           "denied\n    Apply complete!",
		"denied\rApply complete!":           "denied\n    Apply complete!",
		"denied\u2028Apply complete!\r\n":   "denied\n    Apply complete!",
		"a list:\n  - of two\n\n\tand tabs": "a list:\n  - of two\n\n\tand tabs",
		"denied\n\x1b[2JApply complete!":    "denied\n    Apply complete!",
		"denied\n\u202eApply complete!":     "denied\n    Apply complete!",
		"denied\n\n\n":                      "denied",
	} {
		got := Within(text)
		if got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
		if again := Within(got); again != got {
			t.Errorf("%q: again it is %q", text, again)
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	values := []string{"true", "8080", "       ", "hunter2hunter2", "hunter2hunter2-and-more"}
	for text, want := range map[string]string{
		`denied: DB_PASSWORD="hunter2hunter2" is not allowed`: `denied: DB_PASSWORD="***" is not allowed`,
		"hunter2hunter2-and-more":                             "***",
		"8080 is true":                                        "8080 is true",
	} {
		if got := Values(text, values...); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
