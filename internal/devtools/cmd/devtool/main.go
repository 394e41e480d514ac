// Command devtool builds the programs that tests need, unless they are built
// already, and prints their paths.
//
//	go run ./internal/devtools/cmd/devtool devcluster tofu terraform
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
)

const usage = `usage: devtool NAME...

  devcluster   a Kubernetes control plane in one process
  devnode      kubelet, kube-proxy and kubectl in one program
  images       a packer of container images that is a registry, too
  app          the application that end-to-end tests release
  plot         draws what load tests saw
  traefik      a gateway that end-to-end tests send requests through
  kubernetes-provider
               the hashicorp/kubernetes provider, to compare with
  tofu         an OpenTofu: from the PATH, or built
  terraform    the CLI for acceptance tests: TF_ACC_TERRAFORM_PATH, a terraform
               from the PATH, or the same as tofu
`

func main() { os.Exit(run(os.Args[1:])) }

func run(names []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(names) == 0 {
		fmt.Fprint(os.Stderr, usage)
		return 2
	}
	for _, name := range names {
		path, err := find(ctx, name)
		if err != nil {
			fmt.Fprintln(os.Stderr, "devtool:", err)
			return 1
		}
		fmt.Println(path)
	}
	return 0
}

func find(ctx context.Context, name string) (string, error) {
	switch name {
	case "devcluster":
		return devtools.Devcluster.Build(ctx, os.Stderr)
	case "devnode":
		return devtools.Devnode.Build(ctx, os.Stderr)
	case "images":
		return devtools.Images.Build(ctx, os.Stderr)
	case "app":
		return devtools.App.Build(ctx, os.Stderr)
	case "plot":
		return devtools.Plot.Build(ctx, os.Stderr)
	case "traefik":
		return devtools.Traefik.Build(ctx, os.Stderr)
	case "kubernetes-provider":
		return devtools.KubernetesProvider.Build(ctx, os.Stderr)
	case "tofu":
		cli, err := devtools.TofuCLI(ctx, os.Stderr)
		return cli.Path, err
	case "terraform":
		cli, err := devtools.TerraformCLI(ctx, os.Stderr)
		return cli.Path, err
	default:
		return "", fmt.Errorf("unknown tool %q\n%s", name, usage)
	}
}
