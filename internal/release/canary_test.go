package release_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// byShares is a promotion that gives v2 a tenth, then half, then all.
func byShares(at int) *release.Progress {
	before := release.Main{Deployment: "v1"}
	return &release.Progress{From: "v1", To: "v2", At: at, Direction: release.DirectionForward, Before: &before, Steps: []release.Step{
		{Kind: release.StepReady}, {Kind: release.StepShift, Weight: 10}, {Kind: release.StepPause, For: time.Minute},
		{Kind: release.StepShift, Weight: 50}, {Kind: release.StepPause, For: time.Minute, Gate: release.GateManual},
		{Kind: release.StepPause, Gate: release.GateMaxWeight}, {Kind: release.StepShift, Weight: 100}, {Kind: release.StepCommit},
	}}
}

// TestShareOfAStep: what the shifts before a step have given, and what the next one gives.
func TestShareOfAStep(t *testing.T) {
	t.Parallel()
	for at, want := range []struct{ has, next int }{{0, 10}, {0, 10}, {10, 50}, {10, 50}, {50, 100}, {50, 100}, {50, 100}, {100, 100}, {100, 100}} {
		p := byShares(at)
		if has, next := p.Weight(at), p.Next(); has != want.has || next != want.next {
			t.Errorf("at %d, it has %d and gets %d, want %+v", at, has, next, want)
		}
	}
	var texts []string
	for _, step := range byShares(0).Steps {
		texts = append(texts, step.String())
	}
	if got := strings.Join(texts, ", "); got != "ready, shift 10%, pause 1m, shift 50%, pause 1m, manual, pause max_weight, shift 100%, commit" {
		t.Errorf("its steps are %s", got)
	}
	if r := (release.Route{Kind: "HTTPRoute", Name: "api"}); r.String() != "HTTPRoute api" {
		t.Error(r)
	}
	if len(release.Gates()) != 1 || len(release.AbandonPolicies()) != 2 {
		t.Errorf("%v, %v", release.Gates(), release.AbandonPolicies())
	}
}

// TestOlderProvidersRefuseShares: they would take a pause for done. One that moves all at
// once is theirs to go on with.
func TestOlderProvidersRefuseShares(t *testing.T) {
	t.Parallel()
	once := byShares(1)
	once.Steps = []release.Step{{Kind: release.StepReady}, {Kind: release.StepShift, Weight: 100}}
	for schema, p := range map[string]*release.Progress{`"schema":1`: once, `"schema":2`: byShares(2)} {
		data, err := (&release.Main{Deployment: "v1", Progress: p}).Marshal()
		if err != nil || !strings.Contains(data[release.ProgressKey], schema) {
			t.Errorf("%s: %s (%v)", schema, data[release.ProgressKey], err)
		}
		read, err := release.ParseMain(data)
		if err != nil || read.Progress.At != p.At || len(read.Progress.Steps) != len(p.Steps) {
			t.Errorf("%s: read %+v (%v)", schema, read, err)
		}
	}
}

// TestPause: when it is over, and what is said of it.
func TestPause(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	pausedAt := func(at int) *release.Progress {
		p := byShares(at)
		p.Paused, p.Since = true, began
		return p
	}
	timed, gate, most := pausedAt(2), pausedAt(4), pausedAt(5)
	resume := release.Resuming(gate)
	earlier := resume
	earlier.Since = began.Add(-time.Hour)
	for name, tt := range map[string]struct {
		p     *release.Progress
		now   time.Duration // since it began
		asked *release.Request
		waits bool
	}{
		"its time is not over":              {timed, 59 * time.Second, nil, true},
		"its time is over":                  {timed, time.Minute, nil, false},
		"nobody has let it go on":           {gate, time.Hour, nil, true},
		"somebody has":                      {gate, time.Second, &resume, false},
		"somebody has, in another pause":    {most, time.Hour, &resume, true},
		"it is under way":                   {byShares(2), 0, nil, false},
		"somebody asks for something else":  {gate, 0, &release.Request{Kind: release.RequestReturn, From: "v1", To: "v2"}, true},
		"somebody has, an hour before":      {gate, time.Second, &earlier, true},
		"of another promotion, to the same": {gate, 0, &release.Request{Kind: release.RequestResume, From: "v0", To: "v2", Step: 4}, true},
	} {
		if got := tt.p.Waits(began.Add(tt.now), tt.asked); got != tt.waits {
			t.Errorf("%s: waits %t", name, got)
		}
	}
	if timed.Status() != release.MainPaused || byShares(2).Status() != release.MainRunning {
		t.Errorf("%s, %s", timed.Status(), byShares(2).Status())
	}
	for want, p := range map[string]*release.Progress{
		"v2 has 10 % of the traffic. Its pause ends at 2026-11-01T12:01:00Z":                                    timed,
		`kubectl patch configmap api-switchback --namespace shop --type merge --patch '{"data":{"request.json"`: gate,
		"it gets more when canary.max_weight is raised":                                                         most,
	} {
		if text := release.PauseText("prod", "shop", "api", p); !strings.Contains(text, want) {
			t.Errorf("it says %s, want %s", text, want)
		}
	}
}

// TestGoBackFromAShare: the stable side is who has the pointer, on all clusters the same.
func TestGoBackFromAShare(t *testing.T) {
	t.Parallel()
	shared := func(cluster, main string) release.MainOn {
		return release.MainOn{Cluster: cluster, Main: release.Main{Deployment: main}, Shared: "v2"}
	}
	if to, err := release.GoBack("shop/api", []release.MainOn{shared("east", "v1"), shared("west", "v1")}); err != nil || to != "v1" {
		t.Errorf("to %s: %v", to, err)
	}
	var refused *release.GoBackError
	if _, err := release.GoBack("shop/api", []release.MainOn{shared("east", "v1"), shared("west", "v0")}); !errors.As(err, &refused) || refused.Cluster != "west" {
		t.Errorf("it says %v", err)
	}
}

// TestTakenBackFromAShare says what it had.
func TestTakenBackFromAShare(t *testing.T) {
	t.Parallel()
	err := &release.TakenBackError{Cluster: "prod", ID: release.ID{Namespace: "shop", Name: "v2"}, Breach: release.Breach{From: "v1", To: "v2", Share: 10, Reason: "it crashed"}}
	if text := err.Error(); !strings.Contains(text, "had 10 % of the traffic already") || !strings.Contains(text, "it crashed") {
		t.Error(text)
	}
}

// TestPreviewAddress: where a release is found by itself.
func TestPreviewAddress(t *testing.T) {
	t.Parallel()
	id := release.ID{Namespace: "shop", Name: "api-7f3c9a1e"}
	port := gatewayv1.PortNumber(8443)
	for want, p := range map[string]release.Preview{
		"http://api-7f3c9a1e.api.shop.example.com":      {Hostname: "{name}.{application}.{namespace}.example.com"},
		"https://api-7f3c9a1e.example.com":              {Hostname: "{name}.example.com", Scheme: release.PreviewHTTPS},
		"https://api-7f3c9a1e.preview.example.com:8443": {Hostname: "{name}.preview.example.com", Scheme: release.PreviewHTTPS, Parents: []gatewayv1.ParentReference{{Name: "public", Port: &port}}},
	} {
		if got := p.URL(id, "api"); got != want {
			t.Errorf("it is at %s, want %s", got, want)
		}
	}
	for name, tt := range map[string]struct {
		port  string
		ports map[string]int32
		want  string
	}{
		"the one that is asked for": {"web", map[string]int32{"web": 80, "http": 81}, "web"},
		"http":                      {"", map[string]int32{"web": 80, "http": 81}, "http"},
		"the only one":              {"", map[string]int32{"web": 80}, "web"},
		"none":                      {"", map[string]int32{"web": 80, "admin": 81}, ""},
	} {
		spec := release.Spec{Preview: &release.Preview{Port: tt.port}, Content: release.Content{Container: release.Container{Ports: tt.ports}}}
		got, _, ok := spec.Preview.PortOf(spec.Content.Container)
		if ok != (tt.want != "") || ok && got != tt.want || spec.Previewed() != ok {
			t.Errorf("%s: %q, %t", name, got, ok)
		}
	}
	if (release.Spec{}).Previewed() || len(release.PreviewSchemes()) != 2 {
		t.Error("what asks for none has one")
	}
	if text := (&release.NoGatewayAPIError{Cluster: "prod", Kind: "HTTPRoute"}).Error(); !strings.Contains(text, "httproutes.gateway.networking.k8s.io") {
		t.Error(text)
	}
}
