// Command devnode is what makes a machine, or a part of one, a real Kubernetes
// node for tests: the kubelet and kube-proxy, and kubectl to look at it, in
// one program. Which of them it is, its own name says (a symbolic link), or
// else its first argument.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // the components expect their metrics registered
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	kubeproxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func main() {
	name, args := filepath.Base(os.Args[0]), os.Args[1:]
	run, ok := programs[name]
	if !ok && len(args) > 0 {
		name, args = args[0], args[1:]
		run, ok = programs[name]
	}
	if !ok {
		fmt.Fprintln(os.Stderr, "usage: devnode kubelet|kube-proxy|kubectl ARGUMENT...")
		os.Exit(2)
	}
	os.Args = append([]string{name}, args...) // the commands look there too
	os.Exit(run())
}

var programs = map[string]func() int{
	"kubelet":    func() int { return component(kubelet.NewKubeletCommand(context.Background())) },
	"kube-proxy": func() int { return component(kubeproxy.NewProxyCommand()) },
	"kubectl": func() int {
		if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
			kubectlutil.CheckErr(err) // prints it and exits
		}
		return 0
	},
}

// component runs one of the long-lived ones, which end with the process'
// signals.
func component(command *cobra.Command) int { return cli.Run(command) }
