// Command terraform-provider-switchback is a Terraform and OpenTofu provider
// that releases applications on Kubernetes. Terraform starts it; it is not run
// by hand, except with -debug.
package main

import (
	"context"
	"flag"
	"log"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider"
)

// version is set by the linker in releases.
var version = "dev"

func main() {
	var debug bool
	flag.BoolVar(&debug, "debug", false, "wait for a debugger: print what to set TF_REATTACH_PROVIDERS to, and serve until interrupted")
	flag.Parse()

	err := providerserver.Serve(context.Background(), provider.New(version), providerserver.ServeOpts{
		Address: "registry.terraform.io/switchback-dev/switchback",
		Debug:   debug,
	})
	if err != nil {
		log.Fatal(err)
	}
}
