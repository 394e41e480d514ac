package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// ResumeRequest lets an application's promotion, or the change in place of its release, go on
// from the pause that it is in.
type ResumeRequest struct {
	Namespace, Application string
	To                     string // the release that the promotion must be to, or whose content changes; empty: any
	Clusters               []Cluster
	Progress               func(string) // see PromoteRequest
}

// pausedOn is a promotion on one cluster, as a live look has it.
type pausedOn struct {
	cluster Cluster
	main    *release.Main
	live    *corev1.ConfigMap
	is      release.Resumption
	roll    *pausedRoll // what changes in place; nil: nothing that is meant
}

// Resume asks, on every cluster where a promotion or a change in place is paused, that it
// goes on, as the line of its status_reason does. It moves nothing: the next apply does. Where one cluster
// refuses, nothing is asked for anywhere; where nothing is paused, nothing is written,
// and a notice says so. Several clusters are not asked as one: who meets an error in
// between asks again.
func (e *Engine) Resume(ctx context.Context, req ResumeRequest) ([]Notice, error) {
	found, err := fleet.All(fleet.ByName(req.Clusters), func(c Cluster) (*pausedOn, error) { return req.look(ctx, c) })
	if err != nil {
		return nil, err
	}
	if err := req.alike(found); err != nil {
		return nil, err
	}
	var due []*pausedOn
	for _, on := range found {
		switch on.is {
		case release.ResumptionDue:
			due = append(due, on)
		case release.ResumptionAsked:
			req.say("%s: %s goes on from its pause already: the next apply moves it. Nothing was written", on.cluster.Name(), on.main.Progress.To)
		case release.ResumptionNone:
		}
	}
	if err := e.resumeRolls(ctx, req, found); err != nil {
		return nil, err
	}
	if _, err := fleet.All(due, func(on *pausedOn) (struct{}, error) { return struct{}{}, e.askToGoOn(ctx, req, on) }); err != nil {
		return nil, err
	}
	return req.unpaused(found), nil
}

func (r ResumeRequest) id() string { return r.Namespace + "/" + r.Application }

func (r ResumeRequest) say(format string, a ...any) {
	PromoteRequest{Progress: r.Progress}.say(format, a...)
}

// look reads live whether anything is paused.
func (r ResumeRequest) look(ctx context.Context, c Cluster) (*pausedOn, error) {
	main, live, err := ownership.LiveMain(ctx, c, r.Namespace, r.Application)
	if err != nil {
		return nil, err
	}
	on := &pausedOn{cluster: c, main: main, live: live}
	if on.roll, err = r.lookRoll(ctx, c); err != nil {
		return nil, err
	}
	if live != nil && !on.onlyRoll(r.To) {
		on.is, err = release.Resume(c.Name(), r.id(), main, release.RequestIn(live.Data), r.To)
	}
	return on, err
}

// alike refuses promotions to different releases, where nobody has said which is meant.
func (r ResumeRequest) alike(found []*pausedOn) error {
	var first *pausedOn
	if err := r.oneKind(found); err != nil {
		return err
	}
	for _, on := range found {
		switch {
		case on.is == release.ResumptionNone:
		case first == nil:
			first = on
		case on.main.Progress.To != first.main.Progress.To:
			return &release.ResumeError{Cluster: on.cluster.Name(), ID: r.id(), Reason: fmt.Sprintf(
				"the promotion there is one to %s, and on cluster %q one to %s", on.main.Progress.To, first.cluster.Name(), first.main.Progress.To)}
		}
	}
	return nil
}

// askToGoOn writes the request beside the promotion. Others write there, too: what they
// have left is looked at again.
func (e *Engine) askToGoOn(ctx context.Context, req ResumeRequest, on *pausedOn) error {
	if on.main.Progress.Held != nil {
		return e.letGoOn(ctx, req, on)
	}
	entry := e.entry(ctx, on.cluster, release.OperationResume, on.main.Progress.To, "")
	entry.From, entry.To, entry.Group = on.main.Progress.From, on.main.Progress.To, on.main.Group
	told := func() { e.report(ctx, on.cluster, serviceNamed(req.Namespace, on.main.Service), entry) }
	for {
		c, open, next := on.cluster, on.main.Progress, on.live.DeepCopy()
		request := release.Resuming(open)
		request.By, request.At = mask.Redact(c.User(ctx)), c.Now().UTC()
		var err error
		if next.Data, err = release.Asking(on.live.Data, request); err != nil {
			return err
		}
		next.Data = release.AppendHistory(next.Data, entry)
		if err = c.Update(ctx, next); err == nil {
			told()
			req.say("%s: %s, and goes on from its pause: the next apply gives it %d %% of the traffic", c.Name(), open.Has(), open.Next())
			return nil
		}
		if !release.ReadAgain(err) || apierrors.IsNotFound(err) || ctx.Err() != nil {
			return err
		}
		if on, err = req.look(ctx, c); err != nil {
			return err
		}
		switch now := on.main; {
		case on.is == release.ResumptionNone, now.Progress.To != open.To, now.Progress.From != open.From, now.Progress.At != open.At:
			return &release.ResumeError{Cluster: c.Name(), ID: req.id(), Reason: "its promotion has gone on, or has come to its end, meanwhile"}
		case on.is == release.ResumptionAsked: // by us, where only the answer was lost
			told()
			req.say("%s: %s goes on from its pause: the next apply moves it", c.Name(), open.To)
			return nil
		}
	}
}

// unpaused tells of the clusters on which nothing is paused.
func (r ResumeRequest) unpaused(found []*pausedOn) []Notice {
	var texts []string
	for _, on := range found {
		if on.is != release.ResumptionNone || on.roll.paused() {
			continue
		}
		text := "there is no main deployment"
		switch {
		case on.main != nil && on.main.Progress != nil:
			text = fmt.Sprintf("the promotion to %s is not paused: its status is %s", on.main.Progress.To, on.main.Progress.Status())
		case on.roll != nil:
			if on.roll.record.Status == release.StatusPaused && slices.ContainsFunc(found, func(other *pausedOn) bool { return other.roll.paused() }) {
				continue // its turn comes after that
			}
			text = on.roll.unpaused()
		case on.main != nil:
			text = fmt.Sprintf("%s is the main deployment, and no promotion is open", release.OrNothing(on.main.Deployment))
		}
		texts = append(texts, fmt.Sprintf("on cluster %q, %s", on.cluster.Name(), text))
	}
	if len(texts) == 0 {
		return nil
	}
	return []Notice{{Summary: "Nothing is paused", Detail: fmt.Sprintf("Of %s, nothing was to be resumed, and nothing was written: %s.", r.id(), strings.Join(texts, "; "))}}
}
