// Command testrun runs the tests of packages as make test does: with clusters
// that all of them share, as many at once as the machine bears, and with the
// race detector where goroutines are.
//
//	testrun [-race all] [-busy] [-runs N] PACKAGE... [-- ARGUMENT...]
//	testrun [-all] -tofu [-- ARGUMENT...]
//
// The arguments are those of go test. What the test runner says comes last,
// and its exit code is the command's.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == spinVerb {
		spin()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "testrun:", err)
		code = 1
	}
	os.Exit(code)
}

type options struct {
	race  string
	busy  bool
	runs  int
	tofu  bool
	all   bool
	parts bool // this process runs the parts of a plan, for the test runner

	dealt bool // of the points at which something is cut off, each run has some
}

// settings are for everything that a test run starts, where nobody has set them:
// compilers, tests, CLIs and providers live shortly; and what they tell each other
// is no secret in an age of quantum computers, against which TLS would take a tenth
// of a test program's time.
var settings = map[string]string{"GOGC": "300", "GODEBUG": "tlsmlkem=0"}

func setUnset(settings map[string]string) error {
	for name, value := range settings {
		if os.Getenv(name) != "" {
			continue
		}
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

func run(ctx context.Context, args []string) (int, error) {
	var o options
	flags := flag.NewFlagSet("testrun", flag.ContinueOnError)
	flags.StringVar(&o.race, "race", "", "all: the race detector for every package")
	flags.BoolVar(&o.busy, "busy", false, "keep every core busy meanwhile")
	flags.IntVar(&o.runs, "runs", 1, "how often")
	flags.BoolVar(&o.tofu, "tofu", false, "the tests that an OpenTofu may answer differently, with it")
	flags.BoolVar(&o.all, "all", false, "with -tofu: all tests of the provider")
	flags.BoolVar(&o.parts, "parts", false, "for testrun itself")
	if err := flags.Parse(args); err != nil {
		return 2, nil //nolint:nilerr // it is told
	}
	if o.race != "" && o.race != "all" {
		return 2, fmt.Errorf("-race %s: it is all, or nothing", o.race)
	}
	packages, arguments := flags.Args(), []string(nil)
	if i := slices.Index(packages, "--"); i >= 0 {
		packages, arguments = packages[:i], packages[i+1:]
	}
	if err := setUnset(settings); err != nil {
		return 1, err
	}
	if o.busy || o.runs > 1 { // what go test remembers shows nothing
		arguments = append([]string{"-count=1"}, arguments...)
	}
	if o.tofu {
		arguments = append(arguments, packages...) // a "--" without packages is flag's
		cli, err := devtools.TofuCLI(ctx, os.Stderr)
		if err != nil {
			return 1, err
		}
		if err := os.Setenv(devtools.TerraformPathEnv, cli.Path); err != nil {
			return 1, err
		}
		packages = []string{tofuPackage}
		if !o.all {
			arguments = append([]string{"-run", tofuPattern()}, arguments...)
		}
	}
	o.dealt = os.Getenv(testcluster.PointsEnv) == "" && !slices.ContainsFunc(arguments, choosesTests)
	p, err := newPlan(ctx, packages, arguments, o.race == "all", testcluster.ThisMachine())
	if err != nil {
		return 1, err
	}
	if o.parts {
		return p.runParts(ctx, os.Stdout, os.Stderr)
	}
	return o.runTests(ctx, p, args)
}

// runTests starts what the tests share, and runs them, as often as is asked for.
func (o options) runTests(ctx context.Context, p plan, args []string) (code int, err error) {
	if p.clustered > 1 { // one alone starts what it needs, and no more
		down, err := share()
		if err != nil {
			return 1, err
		}
		defer down()
	}
	if o.busy {
		idle, err := keepBusy(testcluster.ThisMachine().Cores)
		if err != nil {
			return 1, err
		}
		defer idle()
	}
	self, err := os.Executable()
	if err != nil {
		return 1, err
	}
	root, err := devtools.Root()
	if err != nil {
		return 1, err
	}
	for n := range o.runs {
		if o.dealt {
			points := pointsOf(commit(ctx), n)
			if err := os.Setenv(testcluster.PointsEnv, string(points)); err != nil {
				return 1, err
			}
			fmt.Fprintf(os.Stdout, "POINTS=%s cuts verbs off where this run does.\n", points)
		}
		began := time.Now()
		runner := exec.Command("go", append([]string{"tool", "-modfile=" + filepath.Join(root, "tools", "go.mod"),
			"gotestsum", "--format", "pkgname-and-test-fails", "--raw-command", "--", self, "-parts"}, args...)...) //nolint:noctx // it ends by a signal
		runner.Stdout, runner.Stderr = os.Stdout, os.Stderr
		one, err := wait(ctx, runner)
		if err != nil {
			return 1, err
		}
		code = max(code, one)
		if o.runs > 1 {
			fmt.Fprintln(os.Stdout, line(n+1, o.runs, one, time.Since(began), runner.ProcessState))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return code, nil
}

// line is what is said of one run of several.
func line(n, runs, code int, took time.Duration, used *os.ProcessState) string {
	how := "passed"
	if code != 0 {
		how = "FAILED"
	}
	cpu := used.UserTime() + used.SystemTime()
	return fmt.Sprintf("run %d of %d: %s in %s, %.0f s of processor time", n, runs, how, took.Round(time.Second), cpu.Seconds())
}

// wait runs a command to its end. A signal ends it as it would end a test run:
// what the tests share outlives them.
func wait(ctx context.Context, command *exec.Cmd) (int, error) {
	if err := command.Start(); err != nil {
		return 1, err
	}
	over := make(chan error, 1)
	go func() { over <- command.Wait() }()
	select {
	case err := <-over:
		return exitCode(err)
	case <-ctx.Done():
		_ = command.Process.Signal(os.Interrupt)
		return exitCode(<-over)
	}
}

// exitCode is what a command that ran has ended with; 1 where a signal ended it.
func exitCode(err error) (int, error) {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, nil
	case !errors.As(err, &exit):
		return 1, err
	}
	return max(exit.ExitCode(), 1), nil
}

// share starts the clusters that tests share, and says in the environment where
// they are. That is always the same place for a checkout: go test keeps the
// result of a package whose environment is the same.
func share() (down func(), err error) {
	if os.Getenv(testcluster.KubeconfigEnv) != "" {
		return func() {}, nil
	}
	dir, remove, err := place()
	if err != nil {
		return nil, err
	}
	kubeconfigs, stop, err := testcluster.Up(testcluster.SharedClusters)
	if err != nil {
		remove()
		return nil, err
	}
	down = func() { stop(); remove() }
	var there []string
	for i, from := range kubeconfigs {
		to := kubeconfigIn(dir, i)
		content, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, content, 0o600)
		}
		if err != nil {
			down()
			return nil, err
		}
		there = append(there, to)
	}
	if err := os.Setenv(testcluster.KubeconfigEnv, strings.Join(there, string(os.PathListSeparator))); err != nil {
		down()
		return nil, err
	}
	return down, nil
}

// place is the directory of the kubeconfigs: this checkout's own, or a temporary
// one while another run has that.
func place() (dir string, remove func(), err error) {
	root, err := devtools.Root()
	if err != nil {
		return "", nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", nil, err
	}
	name := fnv.New64a()
	_, _ = name.Write([]byte(root))
	dir = filepath.Join(cache, "switchback", fmt.Sprintf("clusters-%016x", name.Sum64()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", nil, err
	}
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		_ = lock.Close()
		dir, err = os.MkdirTemp("", "clusters-")
		return dir, func() { _ = os.RemoveAll(dir) }, err
	}
	// The lock ends with the process, and its file stays for the next one.
	return dir, func() {
		for i := range testcluster.SharedClusters {
			_ = os.Remove(kubeconfigIn(dir, i))
		}
		_ = lock.Close()
	}, nil
}

func kubeconfigIn(dir string, n int) string {
	return filepath.Join(dir, fmt.Sprintf("kubeconfig-%d", n+1))
}
