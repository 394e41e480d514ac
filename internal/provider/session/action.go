package session

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// Invocation is one invocation of an action.
type Invocation struct {
	*Session
	req  action.InvokeRequest
	resp *action.InvokeResponse
}

// Act begins an invocation.
func (s *Session) Act(req action.InvokeRequest, resp *action.InvokeResponse) Invocation {
	return Invocation{s, req, resp}
}

// Diags are the diagnostics of the invocation.
func (a Invocation) Diags() *diag.Diagnostics { return &a.resp.Diagnostics }

// ClustersOf are the clusters that an action is about: the ones it names, or
// else all that the provider has. Named says which.
func (a Invocation) ClustersOf(ctx context.Context, set types.Set) (found []rollout.Cluster, named bool) {
	names := attrs.Decode[[]string](ctx, &a.resp.Diagnostics, set)
	if named = len(names) > 0; !named {
		names = a.Clusters.Names()
	}
	if a.resp.Diagnostics.HasError() {
		return nil, named
	}
	found, more := a.Clusters.Get(names)
	a.resp.Diagnostics.Append(more...)
	return found, named
}

// Allowed makes sure, before the first write, that these are the right clusters
// and that everything may be done there.
func (a Invocation) Allowed(ctx context.Context, on []rollout.Cluster, n Need) []rollout.Cluster {
	found, diags := a.allowed(ctx, on, n)
	a.Tell(diags)
	return found
}

func (a Invocation) allowed(ctx context.Context, on []rollout.Cluster, n Need) (found []rollout.Cluster, diags diag.Diagnostics) {
	var names []string
	for _, c := range on {
		names = append(names, c.Name())
	}
	found = a.Targets(ctx, names, n, &diags)
	return found, diags
}

// Fail tells an error.
func (a Invocation) Fail(err error) {
	var diags diag.Diagnostics
	explain.Error(&diags, err)
	a.Tell(diags)
}

// Tell passes diagnostics on. Those at an attribute that only resources have
// are about the action as a whole.
func (a Invocation) Tell(diags diag.Diagnostics) {
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

// Limited gives an action its time, and what it does its reason.
func Limited(ctx context.Context, timeout, reason types.String) (context.Context, context.CancelFunc) {
	ctx = rollout.Because(ctx, reason.ValueString())
	limit, err := time.ParseDuration(timeout.ValueString())
	if err != nil { // validation has checked what is there
		limit, _ = time.ParseDuration(defaultActionTimeout)
	}
	return Within(ctx, limit, "timeout")
}

// Stream sends lines of progress to Terraform. The work never waits for that:
// where nobody listens any more, sending would block for good, and with it
// whatever the work holds.
type Stream struct {
	send func(action.InvokeProgressEvent)

	mu    sync.Mutex
	lines chan string
	over  bool
	sent  chan struct{}
}

// NewStream begins to send lines.
func NewStream(send func(action.InvokeProgressEvent)) *Stream {
	s := &Stream{send: send, lines: make(chan string, 256), sent: make(chan struct{})}
	go func() {
		defer close(s.sent)
		for line := range s.lines {
			s.send(action.InvokeProgressEvent{Message: line})
		}
	}()
	return s
}

// Say sends a line, unless too many wait already.
func (s *Stream) Say(line string) {
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

// End waits until all lines are sent, or nobody listens any more.
func (s *Stream) End(ctx context.Context) {
	s.mu.Lock()
	s.over = true
	close(s.lines)
	s.mu.Unlock()
	select {
	case <-s.sent:
	case <-ctx.Done():
	}
}

// PlanActionClusters refuses names that the provider does not have, once they
// are known.
func (s *Session) PlanActionClusters(set types.Set) diag.Diagnostics {
	if set.IsNull() {
		return nil
	}
	_, diags := PlanClusters(s.Configured, path.Root("clusters"), set, types.SetNull(types.StringType))
	return diags
}
