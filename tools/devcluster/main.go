// Command devcluster runs a whole Kubernetes control plane (etcd,
// kube-apiserver, kube-controller-manager, kube-scheduler) and simulated nodes
// in one process, for tests and demonstrations. It needs no container runtime,
// no root and no network beyond one port on the loopback interface.
//
// When the cluster is usable, the path of its kubeconfig is printed on
// standard output, the only thing ever printed there.
//
// The nodes are simulated: pods get an address and become ready within
// milliseconds, but no container runs. Words in an image's name ask for a
// failure instead; see stages.yaml.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/klog/v2"
)

// config is what the command line decides.
type config struct {
	dir            string
	bind           string
	advertise      string
	port           int
	nodes          int
	serviceCIDR    string
	reconciler     string
	exitOnStdinEOF bool
	verbose        bool
}

func main() {
	var cfg config
	flag.StringVar(&cfg.dir, "dir", "", "state `directory`, kept at exit; a later start goes on from it (default: a temporary one, removed at exit)")
	flag.IntVar(&cfg.port, "port", 0, "the API server's `port` (default: a free one)")
	flag.IntVar(&cfg.nodes, "nodes", 1, "`number` of simulated nodes")
	flag.StringVar(&cfg.bind, "bind", "127.0.0.1", "`address` the API server listens on")
	flag.StringVar(&cfg.advertise, "advertise", "127.0.0.1", "`address` the API server tells others, also in its certificate")
	flag.StringVar(&cfg.serviceCIDR, "service-cidr", "10.96.0.0/16", "`range` of Service addresses")
	flag.StringVar(&cfg.reconciler, "endpoint-reconciler", "none", "`kind`: none, or lease to publish the kubernetes Service (-advertise must not be loopback)")
	flag.BoolVar(&cfg.exitOnStdinEOF, "exit-on-stdin-eof", false, "exit when standard input ends; a parent that holds the other end of a pipe cannot leave the cluster behind, however it dies")
	flag.BoolVar(&cfg.verbose, "v", false, "the components' logs on standard error, not in a file")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "devcluster: unexpected argument %q\n", flag.Arg(0))
		os.Exit(2)
	}
	os.Exit(run(cfg))
}

// run brings the cluster up and stays until it is told to end or a component
// fails. It returns the exit code.
//
// The components are not shut down: their graceful shutdown takes eight
// seconds, and nobody needs what they would save.
func run(cfg config) int {
	// Whoever read our output may be gone: writing to it must not kill the
	// process before it has removed its directory.
	signal.Ignore(syscall.SIGPIPE)
	ended := make(chan string, 3)
	go func() {
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
		ended <- (<-signals).String()
	}()
	if cfg.exitOnStdinEOF {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			ended <- "standard input ended"
		}()
	}

	state, err := openState(cfg.dir)
	if err != nil {
		return report(err)
	}
	defer state.close()

	failed := make(chan error, 1)
	go func() { failed <- serve(context.Background(), cfg, state.dir) }()
	select {
	case err := <-failed:
		return report(err)
	case why := <-ended:
		progress("exiting: %s", why)
		return 0
	}
}

// serve starts one component after the other, announces the cluster, and
// returns the first failure.
func serve(ctx context.Context, cfg config, dir string) error {
	if err := redirectLogs(cfg, dir); err != nil {
		return err
	}
	socket, err := startEtcd(ctx, dir)
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	plane, err := newControlPlane(cfg, dir)
	if err != nil {
		return err
	}
	for _, start := range []struct {
		name string
		f    func(context.Context) error
	}{
		{"kube-apiserver", func(ctx context.Context) error { return plane.startAPIServer(ctx, socket) }},
		{"kube-controller-manager", plane.startControllerManager},
		{"kube-scheduler", plane.startScheduler},
		{"nodes", plane.startNodes},
		{"default service account", plane.waitForServiceAccount},
	} {
		if err := start.f(ctx); err != nil {
			return fmt.Errorf("%s: %w", start.name, err)
		}
		progress("%s ready", start.name)
	}
	fmt.Println(plane.kubeconfig)
	return <-plane.failed
}

// redirectLogs sends the components' logs to a file in the state directory.
func redirectLogs(cfg config, dir string) error {
	if cfg.verbose {
		return nil
	}
	file, err := os.Create(filepath.Join(dir, "devcluster.log"))
	if err != nil {
		return err
	}
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	if err := errors.Join(flags.Set("logtostderr", "false"), flags.Set("stderrthreshold", "FATAL")); err != nil {
		return err
	}
	klog.SetOutput(file)
	return nil
}

var started = time.Now()

// progress tells a person who watches how far the start is.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "devcluster %5dms %s\n", time.Since(started).Milliseconds(), fmt.Sprintf(format, args...))
}

func report(err error) int {
	fmt.Fprintln(os.Stderr, "devcluster:", err)
	return 1
}
