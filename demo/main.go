// Command demo shows what Switchback does, one step after the other, on a
// simulated cluster that it starts and ends, or on one of your own.
//
//	go run ./demo
//	go run ./demo -kubeconfig ~/.kube/config -context my-cluster
//	go run ./demo -gateway
//
// It uses the provider of this checkout and the configuration in
// examples/quickstart, in a temporary directory. With -gateway it is a canary, that of
// examples/canary: on a cluster with a real node and a gateway, with requests that are
// answered.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

func main() {
	var o options
	flag.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig `file` of a cluster of yours (default: a simulated cluster); needs kubectl")
	flag.StringVar(&o.context, "context", "", "its context (default: the current one)")
	flag.BoolVar(&o.gateway, "gateway", false, "show a canary, on a cluster with a real node and a gateway; root on Linux")
	flag.BoolVar(&o.keep, "keep", false, "do not clean up at the end; say what is there")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	interrupted := ctx.Err() != nil
	stop()
	switch {
	case err != nil && interrupted:
		say("Interrupted.")
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

type options struct {
	kubeconfig, context string
	gateway             bool
	keep                bool
}

// run prepares everything, tells the story, and cleans up.
func run(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp("", "switchback-demo-")
	if err != nil {
		return err
	}
	kept := false
	defer func() {
		if !kept {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()

	if err := build(ctx, o); err != nil {
		return err
	}
	cli, err := devtools.TerraformCLI(ctx, os.Stderr)
	if err != nil {
		return err
	}
	cluster, err := connect(ctx, o)
	if err != nil {
		return err
	}
	defer func() {
		if !kept {
			err = errors.Join(err, cluster.close(context.WithoutCancel(ctx)))
		}
	}()
	example, play := quickstart, (*demo).play
	if o.gateway {
		example, play = canaryExample, (*demo).playCanary
	}
	w, err := newWorkspace(ctx, cli, dir, example, cluster.variables())
	if err != nil {
		return err
	}

	began := time.Now()
	d := &demo{cluster: cluster, terraform: w, last: first}
	if err := play(d, ctx); err != nil {
		return err
	}
	if o.keep {
		kept = cluster.outlivesUs()
		d.sayWhatIsKept(ctx, kept)
		return nil
	}
	if err := d.destroy(ctx); err != nil {
		return err
	}
	say("\nThat was all, in %s. The documentation is in docs/, the configuration that this used in %s/.", time.Since(began).Round(time.Second), example)
	return nil
}

// build builds what takes longest, while nothing else needs the processors.
func build(ctx context.Context, o options) error {
	switch {
	case o.gateway && o.kubeconfig != "":
		return errors.New("the canary is shown on a cluster of its own: leave out either the gateway or the kubeconfig")
	case o.gateway:
		if err := testnode.Check(); err != nil {
			return err
		}
		return errors.Join(testnode.Build(ctx, os.Stderr), testnode.BuildGateway(ctx, os.Stderr))
	case o.kubeconfig == "":
		_, err := devtools.Devcluster.Build(ctx, os.Stderr)
		return err
	}
	return nil
}

// say prints a line for the reader.
func say(format string, args ...any) { fmt.Fprintf(os.Stdout, format+"\n", args...) }

// pause waits for a moment or for the context.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
