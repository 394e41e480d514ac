package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/diagnose"
	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// BakeError is a release that did not do its work with traffic on it.
type BakeError struct {
	Cluster string
	ID      release.ID
	Version string
	Seen    string        // what ended the bake
	After   time.Duration // since it began, of
	Bake    time.Duration // 0: it was looked at once
	Share   int           // percent of the traffic that it had
	Copies  int           // percent of the requests of which it got copies, while it had none of the traffic
	Verdict health.Verdict
	Unread  []diagnose.Unread // what would have explained more
	Traffic string            // what became of it; empty before that
}

// trafficStays is what became of the traffic where nothing could take it back.
const trafficStays = "it stays, because there is nothing to go back to"

// Stays says that the release has the traffic all the same: the next promotion bakes
// it again.
func (e *BakeError) Stays() bool { return e.Traffic == trafficStays }

// Summary is one line.
func (e *BakeError) Summary() string {
	if e.Share < 100 || e.Bake == 0 {
		return fmt.Sprintf("with %s, it failed on cluster %q: %s", shareText(e.Share, e.Copies), e.Cluster, e.Seen)
	}
	return fmt.Sprintf("the bake failed on cluster %q: %s", e.Cluster, e.Seen)
}

func (e *BakeError) Error() string {
	var b strings.Builder
	after := e.After.Round(100 * time.Millisecond)
	switch {
	case e.Bake == 0:
		fmt.Fprintf(&b, "Deployment %s (version %s) had %s on cluster %q when %s.", e.ID, e.Version, shareText(e.Share, e.Copies), e.Cluster, e.Seen)
	case e.Share < 100:
		fmt.Fprintf(&b, "Deployment %s (version %s) had had %s on cluster %q for %s of its pause of %s when %s.", e.ID, e.Version, shareText(e.Share, e.Copies), e.Cluster, after, e.Bake.Round(100*time.Millisecond), e.Seen)
	default:
		fmt.Fprintf(&b, "Deployment %s (version %s) had been main on cluster %q for %s of its bake of %s when %s.", e.ID, e.Version, e.Cluster, after, e.Bake, e.Seen)
	}
	b.WriteString(health.Text(e.Verdict.Findings))
	diagnose.WriteUnread(&b, e.ID.Namespace, e.Unread)
	if e.Traffic != "" {
		fmt.Fprintf(&b, "\n\nTraffic: %s.", e.Traffic)
	}
	return b.String()
}

// shareText is what a release had of the traffic, or copies of it.
func shareText(share, copies int) string {
	if copies > 0 {
		return release.CopiesText(copies)
	}
	if share == 100 {
		return "all of the traffic"
	}
	return fmt.Sprintf("%d %% of the traffic", share)
}

// bakeErrors are those among what went wrong.
func bakeErrors(err error) []*BakeError {
	var bake *BakeError
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*BakeError
		for _, one := range joined.Unwrap() {
			all = append(all, bakeErrors(one)...)
		}
		return all
	}
	if errors.As(err, &bake) {
		return []*BakeError{bake}
	}
	return nil
}

// TakesBack says that an error is a reason to take back what has moved: the release does
// not do its work, or somebody asks for it. Any other one of a bake says that it could
// not be watched to the end.
func TakesBack(err error) bool { return len(bakeErrors(err)) > 0 || askedBack(err) }

// bakeEvidencePatience is how long what a release did may keep the traffic from
// going back.
const bakeEvidencePatience = 2 * time.Second

// reversible says that what has moved may be taken back until the commit: also where a
// run is killed between two clusters, or two members of a group, and the next one
// cannot go on.
func (r PromoteRequest) reversible() bool {
	return r.Route != nil || r.Bake > 0 || r.Member.Group != "" || len(r.Clusters) > 1
}

// analyse watches, for so long, the release with the traffic on it, and ends early with
// a *BakeError where it does not do its work. Any other error says that it could not be
// watched to the end: the traffic stays where it is, and the next promotion bakes again.
func (p *Promotion) analyse(ctx context.Context, due []*placement, d time.Duration) error {
	err := p.watchAll(ctx, due, d)
	if steering(err) != nil {
		return p.steer(ctx, due, err)
	}
	if err != nil && !TakesBack(err) && ownership.Lost(ctx, err) == nil {
		err = fmt.Errorf("%w. Traffic stays where it is, and the next apply bakes again", err)
	}
	return err
}

// oneLook is a watch that ends with its first look.
const oneLook = time.Nanosecond

// watchAll watches it on those of some clusters whose traffic this promotion has moved.
func (p *Promotion) watchAll(ctx context.Context, placements []*placement, d time.Duration) error {
	moved := slices.DeleteFunc(going(placements), func(pl *placement) bool { return !pl.moves() })
	if d <= 0 || len(moved) == 0 {
		return nil
	}
	long := "for " + d.String()
	if d <= oneLook {
		long = "once"
	}
	p.req.say("watching %s %s", p.req.To, long)
	for _, pl := range moved {
		p.step(ctx, pl, release.EventBaking, fmt.Sprintf("%s is watched %s %s", p.req.To, pl.watchedWith(), long))
	}
	watching, stop := context.WithCancel(ctx) // where all stand or fall together, one breach is enough
	defer stop()
	var steers atomic.Pointer[error]
	err := p.on(ctx, moved, func(pl *placement) error {
		err := p.bakeOn(watching, pl, d)
		if asked := steering(err); asked != nil {
			steers.Store(&asked)
			stop()
		}
		if steers.Load() != nil && !TakesBack(err) && ctx.Err() == nil {
			return nil // it is asked of all of them
		}
		if TakesBack(err) && !p.continues() {
			stop()
		}
		return err
	})
	if asked := steers.Load(); asked != nil && err == nil {
		return *asked
	}
	if ctx.Err() != nil || p.continues() {
		return err
	}
	if !TakesBack(err) {
		return err
	}
	var failed []error
	for _, pl := range moved {
		if !TakesBack(pl.err) {
			pl.err = nil // its watch was ended because of another cluster
		}
		failed = append(failed, pl.err)
	}
	return errors.Join(failed...)
}

// unwatchedError says that a bake did not come to its end.
type unwatchedError struct {
	cluster, to string
	share       int // percent of the traffic that it had
	copies      int // percent of the requests of which it got copies
	err         error
}

func (e *unwatchedError) Error() string {
	why := e.err.Error()
	if errors.Is(e.err, context.Canceled) {
		why = "it was interrupted"
	}
	if e.share < 100 {
		return fmt.Sprintf("%s had %s on cluster %q, and could not be watched to the end of its pause: %s. All of the traffic is to go back", e.to, shareText(e.share, e.copies), e.cluster, why)
	}
	return fmt.Sprintf("the bake of %s on cluster %q did not come to its end: %s", e.to, e.cluster, why)
}

func (e *unwatchedError) Unwrap() error { return e.err }

// bakeOn watches one cluster. What the watch says at the end is not taken for
// the truth: it may have been cut off all the time.
func (p *Promotion) bakeOn(ctx context.Context, pl *placement, d time.Duration) error {
	err := p.watch(ctx, pl, d)
	if err == nil || TakesBack(err) || steering(err) != nil {
		return err
	}
	return &unwatchedError{pl.cluster.Name(), p.req.To, pl.share(p.req.To), pl.copies(), err}
}

func (p *Promotion) watch(ctx context.Context, pl *placement, d time.Duration) error {
	view, began := pl.cluster.View(p.req.Service.Namespace), time.Now()
	var bake health.Bake
	var in health.Input
	var astray string // where the address leads, if not to the pods. The slices of two Services are not written at the same instant.
	var denied string // who does not serve its route any more
	err := p.engine.soak(ctx, view.Changes(p.req.Service.Application), d, func() (ill bool, err error) {
		if err := p.asked(ctx, pl); err != nil {
			return false, err
		}
		if err := p.keepUp(ctx, pl); err != nil {
			return false, err
		}
		var ready int32
		if in, ready, err = p.baking(ctx, pl); err != nil {
			return false, err
		}
		if seen := bake.Judge(in, ready); seen != "" {
			return false, p.breach(ctx, pl, in, seen, time.Since(began), d)
		}
		if astray, err = p.strays(ctx, pl, in, ready); err != nil || astray != "" || pl.route == nil {
			return astray != "", err
		}
		denied, err = pl.route.Denied(ctx)
		return denied != "", err
	})
	if errors.Is(err, errFailed) && astray == "" { // which the release cannot help
		return errors.New(mask.Redact(denied))
	}
	if errors.Is(err, errFailed) {
		return p.breach(ctx, pl, in, astray, time.Since(began), d)
	}
	if err != nil {
		return err
	}
	in, seen, err := p.seenLive(ctx, pl, &bake)
	if err == nil && seen != "" {
		return p.breach(ctx, pl, in, seen, time.Since(began), d)
	}
	return err
}

// seenLive is what the release is seen to do that it must not, by its workload as it is now.
func (p *Promotion) seenLive(ctx context.Context, pl *placement, bake *health.Bake) (in health.Input, seen string, err error) {
	now, err := p.engine.liveWorkload(ctx, pl.cluster, p.id(), p.req.Service.Application)
	if err != nil {
		return in, "", err
	}
	in, ready := health.Input{Workload: now}, int32(0)
	if now != nil {
		in.WantReplicas, ready = deref(now.Spec.Replicas), now.Status.ReadyReplicas
	}
	return in, bake.Judge(in, ready), nil
}

// id is the release that shall be main.
func (p *Promotion) id() release.ID {
	return release.ID{Namespace: p.req.Service.Namespace, Name: p.req.To}
}

// baking is what the watch caches have of the release on one cluster, and how
// many of its pods its Service leads to.
func (p *Promotion) baking(ctx context.Context, pl *placement) (health.Input, int32, error) {
	return p.engine.atWork(ctx, pl.cluster, p.id(), pl.health)
}

// strays says that the address does not lead to pods that are ready; empty where it
// does. It takes as many of them as the release needs, on all of its ports.
func (p *Promotion) strays(ctx context.Context, pl *placement, in health.Input, ready int32) (string, error) {
	if pl.route != nil {
		return pl.route.Astray(ctx, pl.split)
	}
	own, err := traffic.Endpoints(ctx, pl.cluster.View(p.req.Service.Namespace), p.req.To, nil)
	if err != nil {
		return "", err
	}
	behind, err := pl.router.Behind(ctx, &in.Workload.Spec.Template.Spec)
	if err != nil {
		return "", err
	}
	reached := int32(0)
	for pod, up := range behind {
		if _, ours := own[pod]; ours && up {
			reached++
		}
	}
	if reached >= health.Needs(ready) {
		return "", nil
	}
	return fmt.Sprintf("its address, the Service %s, led to %d of its %d ready pods with all of its ports", p.req.Service.Name, reached, ready), nil
}

// readyBehind is how many ready pods a release's own Service leads to, with all of
// its ports.
func readyBehind(ctx context.Context, view View, d *appsv1.Deployment) (int32, error) {
	ports, err := ownPorts(ctx, view, d)
	if err != nil {
		return 0, err
	}
	endpoints, err := traffic.Endpoints(ctx, view, d.Name, ports)
	ready := int32(0)
	for _, up := range endpoints {
		if up {
			ready++
		}
	}
	return ready, err
}

// ownPorts are those of a release's own Service; none where there is no Service.
func ownPorts(ctx context.Context, view View, d *appsv1.Deployment) ([]traffic.Port, error) {
	svc, err := ownership.Cached(ctx, view, &corev1.Service{}, d.Name)
	if err != nil || svc == nil {
		return nil, err
	}
	return traffic.PortsOf(svc, &d.Spec.Template.Spec), nil
}

// breach joins what was seen with everything around the release's pods.
func (p *Promotion) breach(ctx context.Context, pl *placement, in health.Input, seen string, after, of time.Duration) *BakeError {
	if of <= oneLook {
		after, of = 0, 0
	}
	failure := &BakeError{Share: pl.share(p.req.To), Copies: pl.copies(), Cluster: pl.cluster.Name(), ID: p.id(), Seen: mask.Redact(seen), After: after, Bake: of}
	if in.Workload == nil {
		failure.Version = pl.version
		return failure
	}
	failure.Version = in.Workload.Annotations[release.AnnotationVersion]
	asked, cancel := context.WithTimeout(ctx, p.engine.timing.patience(bakeEvidencePatience))
	defer cancel()
	failure.Verdict = health.Compute(in)
	found := p.engine.diagnose(asked, pl.cluster, target{id: p.id(), spec: release.Spec{Health: pl.health}}, in.Workload)
	found.explained(asked, pl.cluster, p.id().Namespace, pl.health.Lines(), p.engine.timing.patience(diagnose.TailPatience))
	if found.err == nil && len(found.verdict.Findings) > 0 {
		failure.Verdict = found.verdict
	}
	failure.Unread = found.unread
	return failure
}
