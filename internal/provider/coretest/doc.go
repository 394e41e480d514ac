// Package coretest is Terraform's core, as far as the tests of a provider need
// it, in the test's own process. It reads the configuration and the state of a
// directory, speaks to the provider as Terraform does, and prints what the CLI
// prints with -json; it takes milliseconds where a CLI takes a second.
//
// It refuses what core refuses: a plan that does not respect the configuration,
// and a result that differs from the plan. It knows resources, data sources,
// outputs, for_each, depends_on, create_before_destroy and -replace, and objects
// that are deposed; of a terraform block, that there is one. For all else it returns an *UnsupportedError: a CLI must run that.
// States are those of the CLI, so that both can take turns in one directory.
package coretest

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// Server is a provider's, by a name for those that know nothing of its protocol.
type Server = tfprotov6.ProviderServer

// UnsupportedError is something that only a CLI can do.
type UnsupportedError struct{ What string }

func (e *UnsupportedError) Error() string { return e.What + " is not known here: use the CLI" }

func unsupported(format string, args ...any) error {
	return &UnsupportedError{fmt.Sprintf(format, args...)}
}
