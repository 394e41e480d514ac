//go:build bench

package bench_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
	"github.com/switchback-dev/terraform-provider-switchback/test/bench"
)

// reportedAs begins the summary of a failure's error; its cause follows.
const reportedAs = "Deployment failed to start: "

// theirVersion is in tools/kubernetesprovider.
const theirVersion = "1.13.4"

// job is one apply of a failure.
type job struct {
	at     int // among the failures
	theirs bool
}

// TestDiagnosis lets each thing go wrong several times, and measures how long it
// takes from when the cluster knows until the apply says so.
func TestDiagnosis(t *testing.T) {
	c := testnode.Shared(t)
	for _, name := range []string{"shop/app:1.0", "private/app:1.0"} {
		if _, err := c.Push(t.Context(), testnode.AppImage("v2"), name); err != nil {
			t.Fatal(err)
		}
	}
	version, err := c.Client().Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	all := wanted()
	found := bench.Result{
		Machine: here.machine, CLI: cliName(), Kubernetes: version.GitVersion, Theirs: theirVersion,
		Grace: bench.Duration(*grace), Limit: bench.Duration(*limit), Timeout: bench.Duration(*theirTimeout),
	}
	for _, f := range all {
		found.Failures = append(found.Failures, bench.Failure{Name: f.name, What: f.what, Knows: f.knows, Class: string(f.class)})
	}
	var mu sync.Mutex
	work(*atOnce, jobs(len(all)), func(j job) {
		f := all[j.at]
		attempt, cause, err := f.attempt(t, c, j.theirs)
		mu.Lock()
		defer mu.Unlock()
		into := &found.Failures[j.at]
		switch {
		case err != nil:
			t.Errorf("%s: %v", f.name, err)
		case j.theirs:
			t.Logf("%s: hashicorp/kubernetes reported it after %s: %s", f.name, rounded(attempt.Reported), attempt.Message)
			into.Theirs = append(into.Theirs, attempt)
		default:
			t.Logf("%s: known after %s, due after %s, reported %s later (the CLI took %s of it)", f.name, rounded(attempt.Known), rounded(attempt.Due),
				rounded(bench.Duration(attempt.Beyond())), rounded(attempt.Reported-attempt.Returned))
			into.Ours, into.Cause = append(into.Ours, attempt), cause
		}
	})
	if err := publish(found, t.Failed()); err != nil {
		t.Error(err)
	}
}

// jobs are in turns, so that what else the machine does hits all alike. Those of
// the other provider take long and do little.
func jobs(n int) (all []job) {
	for range *theirs {
		for i := range n {
			all = append(all, job{i, true})
		}
	}
	for range *repetitions {
		for i := range n {
			all = append(all, job{i, false})
		}
	}
	return all
}

// work does the jobs of each provider, some at once.
func work(atOnce int, all []job, do func(job)) {
	var workers sync.WaitGroup
	for _, theirs := range []bool{false, true} {
		queue := make(chan job, len(all))
		for _, j := range all {
			if j.theirs == theirs {
				queue <- j
			}
		}
		close(queue)
		for range atOnce {
			workers.Go(func() {
				for j := range queue {
					do(j)
				}
			})
		}
	}
	workers.Wait()
}

// attempt lets it go wrong once, in a namespace of its own.
func (f failure) attempt(t *testing.T, c *testnode.Cluster, theirs bool) (a bench.Attempt, cause string, err error) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	namespace, err := newNamespace(ctx, c, f.name)
	if err != nil {
		return a, "", err
	}
	defer removeNamespace(ctx, c, namespace)
	if f.prepare != nil {
		if err := f.prepare(ctx, c, namespace); err != nil {
			return a, "", err
		}
	}
	seen, err := observe(ctx, c, namespace, f.known)
	if err != nil {
		return a, "", err
	}
	configuration := f.forUs(c, namespace)
	if theirs {
		configuration = f.forThem(c, namespace)
	}
	said, err := apply(t, configuration)
	if err != nil {
		return a, "", err
	}
	a.Message = strings.TrimSpace(said.summary + "\n" + said.detail)
	since := func(at time.Time) bench.Duration { return bench.Duration(at.Sub(said.began).Round(time.Millisecond)) }
	a.Returned, a.Reported = since(said.returned), since(said.reported)
	if len(seen.known) == 0 || len(seen.made) == 0 {
		return a, "", fmt.Errorf("the cluster was never seen to know; it was reported as\n%s", a.Message)
	}
	made := since(<-seen.made)
	a.Known = since(<-seen.known)
	if theirs {
		return a, "", nil
	}
	cause, told := strings.CutPrefix(said.summary, reportedAs)
	if !told || !slices.Contains(f.causes, health.Cause(cause)) {
		return a, "", fmt.Errorf("it was reported as\n%s", a.Message)
	}
	a.Due, a.Waited = f.due(made, a.Known)
	if a.Beyond() < 0 {
		return a, "", fmt.Errorf("it was reported after %s, before %s, when it was due:\n%s", rounded(a.Reported), rounded(a.Due), a.Message)
	}
	return a, cause, nil
}

// due is when a failure is to be reported, and how long was waited on purpose
// once the cluster knew. A limit counts from when there is something to wait for.
func (f failure) due(made, known bench.Duration) (at, waited bench.Duration) {
	switch f.class {
	case health.Certain:
		at = known + bench.Duration(*grace)
	case health.Patient:
		at = made + bench.Duration(*limit)
	case health.Repeated, health.Warning:
		at = known
	}
	return at, at - known
}

func newNamespace(ctx context.Context, c *testnode.Cluster, name string) (string, error) {
	name += "-" + strings.ToLower(rand.Text()[:6])
	if _, err := c.Client().CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
		return "", err
	}
	// Pods are refused until the controllers have made the service account.
	watch, err := c.Client().CoreV1().ServiceAccounts(name).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return "", err
	}
	defer watch.Stop()
	return name, await(ctx, watch, func(object runtime.Object) bool {
		account, ok := object.(*corev1.ServiceAccount)
		return ok && account.Name == "default"
	})
}

// removeNamespace does not wait. What fails in it goes on doing so until it is
// gone, and would disturb the others.
func removeNamespace(ctx context.Context, c *testnode.Cluster, name string) {
	_ = c.Client().CoreV1().Namespaces().Delete(context.WithoutCancel(ctx), name, metav1.DeleteOptions{})
}

func cliName() string {
	if here.cli.Tofu {
		return "OpenTofu " + here.cli.Version
	}
	return "Terraform " + here.cli.Version
}

func rounded(d bench.Duration) time.Duration { return time.Duration(d).Round(time.Millisecond) }

// publish writes what was found to its files, and shows it. What is not complete
// does not get into the documentation.
func publish(found bench.Result, failed bool) error {
	if err := os.MkdirAll(filepath.Dir(*results), 0o755); err != nil {
		return err
	}
	if err := found.Write(*results); err != nil {
		return err
	}
	if *page != "" && !failed {
		if err := os.WriteFile(*page, []byte(found.Page()), 0o644); err != nil { //nolint:gosec // it is documentation
			return err
		}
	}
	fmt.Fprintln(os.Stdout, found.Tables())
	return nil
}
