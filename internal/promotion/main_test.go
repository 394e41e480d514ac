package promotion_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"
)

// How many random runs each property gets, and of how many steps the longer
// ones are. A -rapid.checks and a -rapid.steps of the command line still win.
const (
	checks = "3000"
	steps  = "50"
)

func TestMain(m *testing.M) {
	if err := errors.Join(flag.Set("rapid.checks", checks), flag.Set("rapid.steps", steps)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
