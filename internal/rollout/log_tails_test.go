package rollout_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// writing is a cluster whose containers write what the test says.
type writing struct {
	rollout.Cluster
	log func(ctx context.Context, options *corev1.PodLogOptions) (string, error)

	mu    sync.Mutex
	asked []corev1.PodLogOptions
}

func (c *writing) Log(ctx context.Context, _, _ string, options *corev1.PodLogOptions) (io.ReadCloser, error) {
	c.mu.Lock()
	c.asked = append(c.asked, *options)
	c.mu.Unlock()
	text, err := c.log(ctx, options)
	return io.NopCloser(strings.NewReader(text)), err
}

func refusedLog(code int, reason metav1.StatusReason) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Code: int32(code), Reason: reason, Message: "previous terminated container not found"}}
}

// TestLogsInErrors: what a container wrote last is beside what became of it.
func TestLogsInErrors(t *testing.T) {
	t.Parallel()
	const last = "reading config\nconnecting to postgres://api:hunter2@db/shop\npanic: no such host\n"
	long := strings.Repeat("tick\n", 80) + last
	answers := func(text string, err error) func(context.Context, *corev1.PodLogOptions) (string, error) {
		return func(context.Context, *corev1.PodLogOptions) (string, error) { return text, err }
	}
	for name, c := range map[string]struct {
		health release.Health
		log    func(context.Context, *corev1.PodLogOptions) (string, error)
		says   string
		not    string
		asked  int
	}{
		"the last ten lines": {
			log:   answers(long, nil),
			says:  "\n  Log (container api, previous run, last 10 lines):\n    tick\n    tick\n    tick\n    tick\n    tick\n    tick\n    tick\n    reading config\n    connecting to postgres://***@db/shop\n    panic: no such host\n  Try: ",
			asked: 1,
		},
		"the first line of a short one, too": {
			log:   answers("unknown flag: --prot\n"+strings.Repeat("  --port int\n", 20), nil),
			says:  "\n  Log (container api, previous run, first line and last 10):\n    unknown flag: --prot\n    …\n      --port int\n",
			asked: 1,
		},
		"as many as are asked for": {
			health: release.Health{LogTail: new(int32(1))}, log: answers(long, nil),
			says: "Log (container api, previous run, last line):\n    panic: no such host\n", asked: 1,
		},
		"none": {health: release.Health{LogTail: new(int32(0))}, log: answers(long, nil), not: "Log ("},
		"of the run before, which is gone": {
			log: func(_ context.Context, options *corev1.PodLogOptions) (string, error) {
				if options.Previous {
					return "", refusedLog(http.StatusBadRequest, metav1.StatusReasonBadRequest)
				}
				return last, nil
			},
			says: "Log (container api, last 3 lines):\n    reading config", asked: 2,
		},
		"which the node has not": {
			log: func(_ context.Context, options *corev1.PodLogOptions) (string, error) {
				if options.Previous {
					return "unable to retrieve container logs for containerd://0d1f", nil
				}
				return last, nil
			},
			says: "Log (container api, last 3 lines):", not: "unable to retrieve", asked: 2,
		},
		"not allowed": {
			log:  answers("", apierrors.NewForbidden(schema.GroupResource{Resource: "pods/log"}, "x", errors.New("no"))),
			says: `pods/log may not be read: less can be said. This would allow it, in a Role:` + "\n" + `  - {apiGroups: [""], resources: [pods/log], verbs: [get]}`, not: "Log (", asked: 1,
		},
		"failing": {
			log:  answers("", errors.New("dial tcp: token=abcdefgh1234 refused")),
			says: `pods/log could not be read (dial tcp: token=*** refused): less can be said.`, asked: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t, testcluster.Shared(t))
			spec := l.spec("v1", "demo/crash-api")
			spec.Health = c.health
			p := l.process(t)
			node := &writing{Cluster: p.on[0], log: c.log}
			p.on = []rollout.Cluster{node}
			err := p.create(t.Context(), spec)
			if err == nil || !strings.Contains(err.Error(), c.says) || c.not != "" && strings.Contains(err.Error(), c.not) {
				t.Errorf("it says\n%v\nwant %q and not %q", err, c.says, c.not)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("it tells a password")
			}
			if len(node.asked) != c.asked {
				t.Errorf("%d logs were asked for, want %d", len(node.asked), c.asked)
			}
		})
	}
}

// TestADeadNodeDelaysNoError: its log is waited for a little, and the rest is
// told without it.
func TestADeadNodeDelaysNoError(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	spec := l.spec("v1", "demo/crash-api")
	spec.Replicas = 3
	spec.Content.Sidecars = []release.Helper{{Name: "one", Image: "demo/crash:1"}, {Name: "two", Image: "demo/crash:2"}, {Name: "three", Image: "demo/crash:3"}}
	p := l.process(t)
	var most atomic.Int64 // time that a node has
	node := &writing{Cluster: p.on[0], log: func(ctx context.Context, _ *corev1.PodLogOptions) (string, error) {
		deadline, ok := ctx.Deadline()
		if !ok {
			t.Error("a node has all the time that it wants")
		}
		most.Store(max(most.Load(), int64(time.Until(deadline))))
		<-ctx.Done()
		return "", context.Cause(ctx)
	}}
	p.on = []rollout.Cluster{node}
	timing := faultyTiming()
	timing.Patience = 0 // as users have it
	p.engine = rollout.New(timing)
	ended := p.start(t.Context(), spec)
	l.podsOf(spec, 3)
	err := <-ended
	if had := time.Duration(most.Load()); had <= 0 || had > 2*seconds {
		t.Errorf("a node has %s", had)
	}
	if err == nil || !strings.Contains(err.Error(), `container "api" ended with exit code 1`) || !strings.Contains(err.Error(), "pods/log could not be read") {
		t.Errorf("it says %v", err)
	}
	if len(node.asked) == 0 || len(node.asked) > 3 {
		t.Errorf("%d logs were asked for", len(node.asked))
	}
}
