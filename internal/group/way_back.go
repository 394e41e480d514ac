package group

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// WayBackRequest says which group is to go back, without a configuration.
type WayBackRequest struct {
	Namespace string // of a member; those in others go back, too
	Name      string
	Clusters  []rollout.Cluster
}

// Decide says where each member goes: [release.GroupBack], or [release.GroupCancel].
type Decide func(group string, asked *release.GroupAsked, standings map[string][]release.MainOn) (map[string]release.Back, error)

// WayBack is how a group goes back.
type WayBack struct {
	GoBackRequest
	Theirs map[string]string // who has the traffic of an adopted rule again, by member
}

// NoGroupError says that no member of a group was found.
type NoGroupError struct{ Name, Namespace string }

func (e *NoGroupError) Error() string {
	return fmt.Sprintf("the namespace %s has no member of a group %q on any of the clusters", e.Namespace, e.Name)
}

// LostAddressError says that what a member has been reached by is gone.
type LostAddressError struct{ Member, Service, Cluster string }

func (e *LostAddressError) Error() string {
	return fmt.Sprintf("the Service %s of %s is gone from cluster %q; its settings with it", e.Service, e.Member, e.Cluster)
}

// UnlikeError says that a member is not the same on all clusters.
type UnlikeError struct{ Member, Cluster, First string }

func (e *UnlikeError) Error() string {
	return fmt.Sprintf("the member %s has other settings on cluster %q than on cluster %q, because a run has not finished", e.Member, e.Cluster, e.First)
}

// OwnersError says that a member belongs to another Terraform state's group than the others.
type OwnersError struct{ Group, Member string }

func (e *OwnersError) Error() string {
	return fmt.Sprintf("the member %s belongs to another Terraform state's group %q than the others", e.Member, e.Group)
}

// WayBackOf asks for what lives of a group, and decides where its members go. Its errors are
// all that speak against it, joined.
func WayBackOf(ctx context.Context, req WayBackRequest, decide Decide) (WayBack, error) {
	back := WayBack{GoBackRequest: GoBackRequest{Name: req.Name, Members: map[string]rollout.GoBackRequest{}}, Theirs: map[string]string{}}
	found := observe.GroupIn(ctx, req.Clusters, req.Namespace, req.Name)
	living, err := livingOf(found, req.Namespace)
	if err != nil {
		return back, err
	}
	var asked *release.GroupAsked
	if found.Asked != nil {
		asked = found.Asked.Group
	}
	standings := map[string][]release.MainOn{}
	for name, l := range living {
		standings[name] = l.Standings
	}
	goes, err := decide(req.Name, asked, standings)
	if err == nil {
		back.Plan, err = asked.BackPlan(goes)
	}
	if err != nil {
		return back, err
	}
	for name, to := range goes {
		member := living[name].Request
		member.To, member.Was, member.Undoes = to.To, to.Was, to.Theirs != ""
		for _, c := range req.Clusters {
			if _, there := to.Was[c.Name()]; there {
				member.Clusters = append(member.Clusters, c)
			}
		}
		back.Members[name], back.Theirs[name] = member, to.Theirs
	}
	return back, nil
}

// WayOutOf is WayBackOf for who gives up what is under way: nothing is remembered against what
// the traffic is taken from, as after a Ctrl-C.
func WayOutOf(ctx context.Context, req WayBackRequest) (WayBack, error) {
	out, err := WayBackOf(ctx, req, release.GroupCancel)
	for name, member := range out.Members {
		member.Forgets = true
		out.Members[name] = member
	}
	return out, err
}

// livingOf is what lives of each member, where they can go back as one.
func livingOf(found observe.Group, namespace string) (map[string]rollout.Living, error) {
	living, errs := map[string]rollout.Living{}, found.Errs
	if len(found.Members) == 0 && len(errs) == 0 {
		return nil, &NoGroupError{Name: found.Name, Namespace: namespace}
	}
	owner := ""
	for _, name := range slices.Sorted(maps.Keys(found.Members)) {
		member := found.Members[name]
		for _, o := range member.Mains {
			if o.Service == nil {
				return nil, errors.Join(append(errs, &LostAddressError{Member: name, Service: o.Main.Service, Cluster: o.Cluster})...)
			}
		}
		l := rollout.LivingOf(member.Namespace, member.Application, member.Mains)
		if len(l.Unlike) > 0 {
			errs = append(errs, &UnlikeError{Member: name, Cluster: l.Unlike[0], First: l.Standings[0].Cluster})
		}
		if owner == "" {
			owner = l.Request.Owner
		}
		if owner != l.Request.Owner {
			errs = append(errs, &OwnersError{Group: found.Name, Member: name})
		}
		living[name] = l
	}
	return living, errors.Join(errs...)
}

// To says where each member goes, as the end of a sentence.
func (b WayBack) To() string {
	var where []string
	for _, name := range slices.Sorted(maps.Keys(b.Members)) {
		to := b.Members[name].To
		if b.Members[name].Undoes {
			to = b.Theirs[name]
		}
		where = append(where, name+" on "+to)
	}
	return strings.Join(where, ", ")
}

// TakeBack starts what members go back to, where it was stopped meanwhile, and takes them
// back, each with its lines of progress.
func (e *Engine) TakeBack(ctx context.Context, back WayBack, say func(line string)) (Result, error) {
	for _, name := range slices.Sorted(maps.Keys(back.Members)) {
		member := back.Members[name]
		member.Progress = func(line string) { say(name + ": " + line) }
		back.Members[name] = member
		if member.Undoes {
			continue // it takes no pods of ours
		}
		if err := e.rollout.Warm(ctx, member.PromoteRequest); err != nil {
			return Result{}, err
		}
	}
	return e.GoBack(ctx, back.GoBackRequest)
}
