// Command terraform-provider-switchback is a Terraform and OpenTofu provider
// that releases applications on Kubernetes. Terraform starts it; it is not run
// by hand, except with -debug.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider"
)

// version is set by the linker in releases.
var version = "dev"

func main() {
	var debug bool
	flag.BoolVar(&debug, "debug", false, "wait for a debugger: print what to set TF_REATTACH_PROVIDERS to, and serve until interrupted")
	flag.Parse()

	if !debug {
		go endOnTerm()
	}
	err := providerserver.Serve(context.Background(), provider.New(version), providerserver.ServeOpts{
		Address: "registry.terraform.io/switchback-dev/switchback",
		Debug:   debug,
	})
	if err != nil {
		log.Fatal(err)
	}
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
