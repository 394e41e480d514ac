package rollout

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
)

const (
	diagnosedLogs = 5         // findings whose log is read
	diagnosedTail = 20        // lines of each
	diagnosedRead = 256 << 10 // bytes of each
)

// Diagnosed is how a subject is on one cluster, and why.
type Diagnosed struct {
	Cluster string
	Verdict health.Verdict
	Unread  []Unread // what would have explained more
}

// Diagnose judges a subject on every cluster that has it, live. It writes nothing.
func (e *Engine) Diagnose(ctx context.Context, clusters []Cluster, s Subject) ([]Diagnosed, error) {
	clusters = byName(clusters)
	all, err := onAll(clusters, func(c Cluster) (*Diagnosed, error) { return diagnoseOn(ctx, c, s) })
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(d *Diagnosed) bool { return d == nil })
	if len(all) == 0 {
		what := fmt.Sprintf("the Deployment %s/%s", s.Namespace, s.Workload)
		if s.Workload == "" {
			what = fmt.Sprintf("a pod that %q selects in namespace %q", s.Selector, s.Namespace)
		}
		return nil, absent(what, clusters)
	}
	found := make([]Diagnosed, len(all))
	for i, d := range all {
		found[i] = *d
	}
	return found, nil
}

// diagnoseOn is nil where the cluster does not have the subject.
func diagnoseOn(ctx context.Context, c Cluster, s Subject) (*Diagnosed, error) {
	in, unread, err := gather(ctx, c, s)
	if apierrors.IsNotFound(err) {
		return nil, nil
	} else if err != nil {
		return nil, allowed(err, c, "get", "deployments.apps", s.Namespace)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if s.Workload == "" {
		if i := slices.IndexFunc(unread, func(u Unread) bool { return u.Resource == "pods" }); i >= 0 {
			return nil, allowed(unread[i].Err, c, "list", "pods", s.Namespace)
		}
		if len(in.Pods) == 0 {
			return nil, nil
		}
	}
	d := &Diagnosed{Cluster: c.Name(), Verdict: health.Compute(in), Unread: unread}
	var refused error
	if in.Around.Logs, refused = findingLogs(ctx, c, s.Namespace, d.Verdict.Findings); refused != nil {
		d.Unread = append(d.Unread, Unread{"pods/log", refused})
	}
	if len(in.Around.Logs) > 0 {
		d.Verdict = health.Compute(in)
	}
	return d, nil
}

// findingLogs reads the ends of the logs that show more. What cannot be read is
// not there; refused says that none may be.
func findingLogs(ctx context.Context, c Cluster, namespace string, findings []health.Finding) (read map[health.PodRef]string, refused error) {
	read = map[health.PodRef]string{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	asked := map[health.PodRef]bool{}
	for _, f := range findings {
		if f.LogsOf == nil || asked[*f.LogsOf] || len(asked) == diagnosedLogs {
			continue
		}
		ref := *f.LogsOf
		asked[ref] = true
		wg.Go(func() {
			text, err := logEnd(ctx, c, namespace, ref)
			mu.Lock()
			defer mu.Unlock()
			if apierrors.IsForbidden(err) {
				refused = err
			} else if err == nil {
				read[ref] = text
			}
		})
	}
	wg.Wait()
	return read, refused
}

// logEnd is the end of one container's log.
func logEnd(ctx context.Context, c Cluster, namespace string, of health.PodRef) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, logPatience)
	defer cancel()
	log, err := c.Log(ctx, namespace, of.Pod, &corev1.PodLogOptions{
		Container: of.Container, Previous: of.Previous, TailLines: new(int64(diagnosedTail)), LimitBytes: new(int64(diagnosedRead)),
	})
	if err != nil {
		return "", err
	}
	defer log.Close()
	text, err := io.ReadAll(io.LimitReader(log, diagnosedRead))
	return string(text), err
}
