package group_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// main promotes api as a main deployment of its own does.
func (p *process) main(ctx context.Context, version, owner string) (rollout.Promoted, error) {
	return p.rollout.Promote(ctx, rollout.PromoteRequest{
		Service: p.service("api"), To: p.name("api", version), Owner: owner, Keep: release.Keep{Count: 1}, Drain: drain, Clusters: p.on,
	})
}

// A group's addresses are refused to everybody else, by its name.
func TestGroupOwnsItsAddresses(t *testing.T) {
	t.Parallel()
	s := open(t, "api", "web")
	ctx := t.Context()
	refused := func(what string, err error, group string) {
		t.Helper()
		var owned *release.GroupOwnedError
		if !errors.As(err, &owned) || owned.Group != group || !strings.Contains(err.Error(), group) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := s.process().main(ctx, "v2", "")
	refused("a main deployment is created", err, "shop")
	_, err = s.process().main(ctx, "v2", "0123456789abcdef")
	refused("a main deployment is updated", err, "shop")
	_, err = s.process().main(ctx, "v1", s.owner)
	refused("a main deployment has the group's token", err, "shop")

	other := s.request("v2", func(a *asked) { a.name = "store" })
	owner := s.owner
	s.owner = ""
	_, err = s.once().promote(ctx, other)
	refused("another group", err, "shop")
	same := s.request("v2")
	_, err = s.once().promote(ctx, same)
	refused("a group of the same name, in another state", err, "shop")
	s.owner = owner
	wantMoves(t, s.moves())
	s.stands(s.all("v1"))

	// What points where it is wanted changes hands.
	taken, err := s.process().main(ctx, "v1", "")
	if err != nil || !slices.ContainsFunc(taken.Notices, func(n rollout.Notice) bool { return strings.Contains(n.Detail, `belonged to the group "shop"`) }) {
		t.Errorf("%+v, %v", taken.Notices, err)
	}
	_, err = s.once().promote(ctx, s.request("v2"))
	var stale *release.StaleOwnerError
	if !errors.As(err, &stale) {
		t.Errorf("the group still moves what was taken from it: %v", err)
	}
	s.stands(map[string]string{"web": "v1"})

	// Destroying the group leaves that one alone.
	p := s.process()
	notices, err := p.engine.Remove(ctx, "shop", []rollout.UnmainRequest{
		{Service: s.service("api"), Owner: s.owner, Clusters: p.on}, {Service: s.service("web"), Owner: s.owner, Clusters: p.on},
	})
	if err != nil || len(notices) != 1 || !strings.Contains(notices[0].Detail, "/api") {
		t.Errorf("%v, %v", notices, err)
	}
	if _, err := s.cluster.Client().CoreV1().Services(s.namespace).Get(ctx, "api", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := s.cluster.Client().CoreV1().Services(s.namespace).Get(ctx, "web", metav1.GetOptions{}); err == nil {
		t.Error("web still has its address")
	}
}

// A rollback of one member, as an action makes it, is allowed, and leaves the
// address with the group.
func TestMemberGoesBackByItself(t *testing.T) {
	t.Parallel()
	s := open(t, "api", "web")
	if _, err := s.once().promote(t.Context(), s.request("v2")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.process().rollout.GoBack(t.Context(), rollout.GoBackRequest{
		PromoteRequest: rollout.PromoteRequest{
			Service: s.service("api"), To: s.name("api", "v1"), Owner: s.owner, Keep: release.Keep{Count: 1}, Drain: drain, Clusters: s.process().on,
		},
		Was: map[string]string{"prod": s.name("api", "v2")},
	}); err != nil {
		t.Fatal(err)
	}
	s.stands(map[string]string{"api": "v1", "web": "v2"})
}

// Two runs that move the same group, or groups with a member in common, do so
// one after the other, and neither waits for ever.
func TestGroupsDoNotInterleave(t *testing.T) {
	t.Parallel()
	s := open(t, "api", "auth", "web")
	p := s.process()
	for _, application := range s.applications {
		p.deploy(application, "v3")
	}
	s.proxy.Reset()
	of := func(version string, members ...string) asked {
		return s.request(version, func(a *asked) {
			a.versions, a.waves = map[string]string{}, nil
			for _, name := range members {
				a.versions[name] = version
				a.waves = append(a.waves, release.WaveSpec{Members: []string{name}})
			}
		})
	}
	requests := []asked{of("v2", "web", "auth", "api"), of("v3", "api", "auth", "web"), of("v3", "auth", "api")}
	var wg sync.WaitGroup
	for _, request := range requests {
		lively := timing()
		lively.Beat, lively.Expiry = 200*time.Millisecond, testcluster.Hang // on a busy machine a beat may be late
		process := s.processWith(lively)
		req := process.group(request)
		wg.Go(func() {
			if done, err := process.engine.Promote(t.Context(), req); err != nil || done.Status != release.MainFinalized {
				t.Errorf("%s, %v", done.Status, err)
			}
		})
	}
	wg.Wait()
	left := s.moves()
	for len(left) > 0 { // the moves of one request at a time
		i := slices.IndexFunc(requests, func(a asked) bool {
			return len(left) >= len(a.waves) && startsWith(left, a)
		})
		if i < 0 {
			t.Fatalf("they interleave: %q", s.moves())
		}
		left = left[len(requests[i].waves):]
		requests = slices.Delete(requests, i, i+1)
	}
}

func startsWith(moves []string, a asked) bool {
	for i, wave := range a.waves {
		name := wave.Members[0]
		if moves[i] != name+" "+a.versions[name] {
			return false
		}
	}
	return true
}
