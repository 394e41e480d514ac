package provider

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// acting is one invocation of an action.
type acting struct {
	*session
	req  action.InvokeRequest
	resp *action.InvokeResponse
}

// act begins an invocation.
func (s *session) act(req action.InvokeRequest, resp *action.InvokeResponse) acting {
	return acting{s, req, resp}
}

// diags are the diagnostics of the invocation.
func (a acting) diags() *diag.Diagnostics { return &a.resp.Diagnostics }

// clustersOf are the clusters that an action is about: the ones it names, or
// else all that the provider has. Named says which.
func (a acting) clustersOf(ctx context.Context, set types.Set) (found []rollout.Cluster, named bool) {
	names := decode[[]string](ctx, &a.resp.Diagnostics, set)
	if named = len(names) > 0; !named {
		names = a.clusters.Names()
	}
	if a.resp.Diagnostics.HasError() {
		return nil, named
	}
	found, more := a.clusters.Get(names)
	a.resp.Diagnostics.Append(more...)
	return found, named
}

// allowed makes sure, before the first write, that these are the right clusters
// and that everything may be done there.
func (a acting) allowed(ctx context.Context, on []rollout.Cluster, n need) []rollout.Cluster {
	var names []string
	for _, c := range on {
		names = append(names, c.Name())
	}
	var diags diag.Diagnostics
	found := a.targets(ctx, names, n, &diags)
	a.tell(diags)
	return found
}

// fail tells an error.
func (a acting) fail(err error) {
	var diags diag.Diagnostics
	addError(&diags, err)
	a.tell(diags)
}

// tell passes diagnostics on. Those at an attribute that only resources have
// are about the action as a whole.
func (a acting) tell(diags diag.Diagnostics) {
	attributes := a.req.Config.Schema.GetAttributes()
	for _, d := range diags {
		if with, ok := d.(diag.DiagnosticWithPath); ok && d.Severity() == diag.SeverityError {
			if _, ours := attributes[with.Path().Steps()[0].String()]; !ours {
				d = diag.NewErrorDiagnostic(d.Summary(), d.Detail())
			}
		}
		a.resp.Diagnostics.Append(d)
	}
}

// limited gives an action its time.
func limited(ctx context.Context, timeout types.String) (context.Context, context.CancelFunc) {
	limit, err := time.ParseDuration(timeout.ValueString())
	if err != nil { // validation has checked what is there
		limit, _ = time.ParseDuration(defaultActionTimeout)
	}
	return within(ctx, limit, "timeout")
}

// stream sends lines of progress to Terraform. The work never waits for that:
// where nobody listens any more, sending would block for good, and with it
// whatever the work holds.
type stream struct {
	send func(action.InvokeProgressEvent)

	mu    sync.Mutex
	lines chan string
	over  bool
	sent  chan struct{}
}

func newStream(send func(action.InvokeProgressEvent)) *stream {
	s := &stream{send: send, lines: make(chan string, 256), sent: make(chan struct{})}
	go func() {
		defer close(s.sent)
		for line := range s.lines {
			s.send(action.InvokeProgressEvent{Message: line})
		}
	}()
	return s
}

// say sends a line, unless too many wait already.
func (s *stream) say(line string) {
	line = mask.Redact(line)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	select {
	case s.lines <- line:
	default:
	}
}

// end waits until all lines are sent, or nobody listens any more.
func (s *stream) end(ctx context.Context) {
	s.mu.Lock()
	s.over = true
	close(s.lines)
	s.mu.Unlock()
	select {
	case <-s.sent:
	case <-ctx.Done():
	}
}

// planActionClusters refuses names that the provider does not have, once they
// are known.
func (s *session) planActionClusters(set types.Set) diag.Diagnostics {
	if set.IsNull() {
		return nil
	}
	_, diags := planClusters(s.configured, set, types.SetNull(types.StringType))
	return diags
}
