// Command suite runs a command of a suite where that is due: where a path that
// the suite is about has changed since it was green last. It says whether it
// runs, why, and since which commit. Where it is not due, a second command may
// run instead.
//
//	suite [-always] NAME COMMAND... [-- COMMAND...]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
)

func main() {
	always := flag.Bool("always", false, "whether it is due or not")
	flag.Parse()
	if flag.NArg() < 2 {
		fmt.Fprintln(os.Stderr, "usage: suite [-always] NAME COMMAND... [-- COMMAND...]")
		os.Exit(2)
	}
	err := run(context.Background(), flag.Arg(0), flag.Args()[1:], *always)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		os.Exit(max(exit.ExitCode(), 1))
	case err != nil:
		fmt.Fprintln(os.Stderr, "suite:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, name string, command []string, always bool) error {
	s, err := devtools.NewSuite(name)
	if err != nil {
		return err
	}
	var instead []string
	if i := slices.Index(command, "--"); i >= 0 {
		command, instead = command[:i], command[i+1:]
	}
	due, why := s.Due(ctx)
	switch {
	case always:
		why = "all suites were asked for"
	case !due:
		fmt.Fprintf(os.Stdout, "suite %s is skipped: %s\n", name, why)
		if len(instead) == 0 {
			return nil
		}
		fmt.Fprintf(os.Stdout, "instead of it: %s\n", strings.Join(instead, " "))
		return start(ctx, instead)
	}
	fmt.Fprintf(os.Stdout, "suite %s runs: %s\n", name, why)
	if err := start(ctx, command); err != nil {
		return err
	}
	return s.Passed(ctx)
}

func start(ctx context.Context, command []string) error {
	work := exec.CommandContext(ctx, command[0], command[1:]...)
	work.Stdin, work.Stdout, work.Stderr = os.Stdin, os.Stdout, os.Stderr
	return work.Run()
}
