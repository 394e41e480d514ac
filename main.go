// Command terraform-provider-switchback is a Terraform and OpenTofu provider
// that releases applications on Kubernetes. Terraform starts it; it is not run
// by hand, except with -debug.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// version is set by the linker in releases.
var version = "dev"

// timing is set by the linker for tests that would else wait long, or not be the
// same on a busy machine, as "expiry=2s settle=1h": what differs from the engine's
// own. Releases leave it empty. It is no option and no variable of the
// environment: processes that disagree about it take each other's work.
var timing string

func main() {
	var wait bool
	flag.BoolVar(&wait, "debug", false, "wait for a debugger: print what to set TF_REATTACH_PROVIDERS to, and serve until interrupted")
	flag.Parse()

	if !wait {
		go endOnTerm()
	}
	timed, err := timed(timing)
	if err != nil {
		log.Fatal(err)
	}
	server, err := provider.Timed(context.Background(), version, timed)
	if err != nil {
		log.Fatal(err)
	}
	var opts []tf6server.ServeOpt
	if wait {
		opts = append(opts, tf6server.WithManagedDebug())
	}
	for name, level := range provider.LogLevels(os.Getenv) {
		if err := os.Setenv(name, level); err != nil {
			log.Fatal(err)
		}
	}
	err = tf6server.Serve("registry.terraform.io/switchback-dev/switchback", func() tfprotov6.ProviderServer { return server }, opts...)
	if err != nil {
		log.Fatal(err)
	}
}

// timed is the engine's timing, changed.
func timed(changes string) (rollout.Timing, error) {
	t := rollout.DefaultTiming()
	for _, change := range strings.Fields(changes) {
		name, value, _ := strings.Cut(change, "=")
		d, err := time.ParseDuration(value)
		switch {
		case err != nil:
		case d <= 0:
			err = errors.New("it is no time")
		case name == "expiry":
			t, err = t.Expiring(d)
		case name == "settle":
			t.Settle = d
		case name == "cleanup":
			t.Cleanup = d
		case name == "patience":
			t.Patience = d
		default:
			err = errors.New("there is no such time")
		}
		if err != nil {
			return t, fmt.Errorf("linked with the timing %q: %w", change, err)
		}
	}
	return t, nil
}

// termGrace is how long a SIGTERM is put off.
const termGrace = 2 * time.Second

// endOnTerm ends the process a moment after a SIGTERM. CI systems send it to
// the whole process group: Terraform then asks its providers to stop, as after
// a Ctrl-C, and a provider that had died of the signal could no longer scale
// down what it was starting. (An interrupt is left to Terraform altogether, by
// the plugin library.)
func endOnTerm() {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	<-term
	time.AfterFunc(termGrace, func() { os.Exit(128 + int(syscall.SIGTERM)) })
}
