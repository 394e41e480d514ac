package group_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/group"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// back takes all members from v2 to v1, the last to move first.
func (p *process) back(ctx context.Context) (group.Result, error) {
	p.t.Helper()
	req := group.GoBackRequest{Name: "shop", Members: map[string]rollout.GoBackRequest{}}
	goes, asked := map[string]release.Back{}, &release.GroupAsked{}
	for _, name := range p.applications {
		was := map[string]string{"prod": p.name(name, "v2")}
		goes[name] = release.Back{To: p.name(name, "v1"), Was: was}
		asked.Waves = append(asked.Waves, release.WaveAsked{Members: []string{name}})
		req.Members[name] = rollout.GoBackRequest{Was: was, PromoteRequest: rollout.PromoteRequest{
			Service: p.service(name), Route: p.route(name), To: p.name(name, "v1"), Owner: p.owner, Keep: release.Keep{Count: 1}, Drain: drain, Clusters: p.on,
		}}
	}
	plan, err := asked.BackPlan(goes)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Plan = plan
	return p.engine.GoBack(ctx, req)
}

// TestGroupGoesBack: all of it, the last to move first; and where one cannot, none.
func TestGroupGoesBack(t *testing.T) {
	t.Parallel()
	s := open(t, "api", "web")
	check := s.watch()
	if _, err := s.once().promote(t.Context(), s.request("v2")); err != nil {
		t.Fatal(err)
	}
	s.proxy.Reset()
	s.refuse("api v1")
	_, err := s.process().back(t.Context())
	tells(t, err, "not today", "web")
	s.proxy.SetFault(nil)
	s.stands(s.all("v2"))

	s.proxy.Reset()
	done, err := s.process().back(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantStatus(t, done, release.MainFinalized, "api=finalized web=finalized")
	wantMoves(t, s.moves(), "web v1", "api v1")
	s.stands(s.all("v1"))
	_, err = s.once().promote(t.Context(), s.request("v2")) // as the next apply plans it
	tells(t, err, "had all of the traffic already, and ", " asked to go back")
	s.stands(s.all("v1"))
	if _, err := s.once().promote(t.Context(), s.request("v2", again("once more"))); err != nil {
		t.Fatal(err)
	}
	s.stands(s.all("v2"))
	check()
}

// TestGroupIsAskedToGoBack: a run that watches its last wave takes everything back.
func TestGroupIsAskedToGoBack(t *testing.T) {
	t.Parallel()
	s := open(t, "api", "web")
	check := s.watch()
	lively := timing()
	lively.Beat, lively.Expiry = 200*time.Millisecond, testcluster.Hang // both live
	first, second := s.processWith(lively), s.processWith(lively)
	ended := make(chan error, 1)
	req := first.group(s.request("v2", bake(time.Hour)))
	go func() {
		_, err := first.engine.Promote(t.Context(), req)
		ended <- err
	}()
	testcluster.Eventually(t, testcluster.Hang, "web to bake", func() error {
		o := observe.Mains(t.Context(), second.on, s.namespace, "web", "web")[0]
		if o.Main == nil || o.Main.Progress == nil || o.Main.Progress.Step().Kind != release.StepAnalyse {
			return errors.New("it does not")
		}
		return nil
	})
	if _, err := second.back(t.Context()); err != nil {
		t.Error(err)
	}
	tells(t, <-ended, "asked", `the group "shop" is rolled_back`)
	s.stands(s.all("v1"))
	check()
}
