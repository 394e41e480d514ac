// Command cluster starts and stops clusters with a real node, for people: see
// package testnode.
//
//	cluster up [NAME [with-gateway]]   start one, unless it runs; print its kubeconfig
//	cluster down [NAME]                stop it, or all of them; remove what killed ones left
//	cluster check                      tell what is missing here, if anything is
//	cluster packages                   print the Debian packages that have all of it
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

const usage = "usage: cluster up [NAME [with-gateway]] | cluster down [NAME] | cluster check | cluster packages"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	gateway := len(args) == 3 && args[2] == gatewayWord
	if len(args) == 0 || len(args) > 2 && !gateway {
		return fmt.Errorf("%s", usage)
	}
	name := ""
	if len(args) > 1 {
		name = args[1]
	}
	switch args[0] {
	case "up":
		return up(ctx, name, gateway)
	case "down":
		return down(ctx, name)
	case "check":
		return testnode.Check()
	case "packages":
		fmt.Fprintln(os.Stdout, strings.Join(testnode.Packages(), " "))
		return nil
	case holdVerb:
		return hold(ctx, name, gateway)
	default:
		return fmt.Errorf("%s", usage)
	}
}
