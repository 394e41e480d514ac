//go:build bench

package cost_test

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/fastpath"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcli"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/test/bench"
	"github.com/switchback-dev/terraform-provider-switchback/test/cost"
)

// subject is a provider as it is measured.
type subject struct {
	name      string
	configure func(setting) string // nil: it only plans what ours has made
	env       []string
}

func subjects() []subject {
	all := []subject{
		{name: cost.Null, configure: nothing},
		{name: cost.Ours, configure: ours},
		{name: cost.Logicless},
		{name: cost.Slow, env: []string{fastpath.Variable + "=off"}},
	}
	if *others {
		all = append(all, subject{name: cost.Theirs, configure: theirs})
	}
	return all
}

// life is that of so many resources of a provider.
type life struct {
	*measurement
	subject
	*testcli.Workspace
	setting
	over *atomic.Bool // a command has reached its limit
}

// begin is a life for each subject.
func (m *measurement) begin(n int) []*life {
	var all []*life
	var made *life // by ours
	for _, s := range subjects() {
		l := m.life(s, n)
		switch {
		case s.name == cost.Ours:
			made = l
		case s.configure == nil:
			l.Dir, l.over = made.Dir, made.over
		}
		all = append(all, l)
	}
	return all
}

func (m *measurement) life(s subject, n int) *life {
	w := testcli.New(m.t, here.by[s.name])
	w.Env, w.Bound = s.env, *limit+time.Minute
	return &life{m, s, w, setting{
		n: n, version: "v1", namespace: m.wire.Cluster().Namespace(m.t), kubeconfig: m.wire.KubeconfigPath, asks: true,
	}, &atomic.Bool{}}
}

func (l *life) apply(what, version string, far bool) {
	if l.configure == nil {
		return
	}
	l.version = version
	l.Write(l.t, "main.tf", l.configure(l.setting))
	l.run(what, far, "apply", "-auto-approve", "-parallelism="+strconv.Itoa(*parallelism))
}

func (l *life) destroy(far bool) {
	if l.configure != nil {
		l.run(cost.Destroy, far, "destroy", "-auto-approve", "-parallelism="+strconv.Itoa(*parallelism))
	}
}

// run measures a command. Behind one that has reached its limit, nothing is as it
// was to be.
func (l *life) run(what string, far bool, args ...string) {
	l.t.Helper()
	if l.over.Load() {
		return
	}
	l.wire.Reset()
	l.wire.SetFault(func(*testcluster.Request, int) testcluster.Fault { return distance(far) })
	x := l.Start(l.t, append(args, "-no-color", "-input=false")...)
	end := time.AfterFunc(*limit, func() {
		l.over.Store(true)
		_ = x.Kill()
	})
	u := x.Measure()
	end.Stop()
	c := cost.Case{Provider: l.name, What: what, N: l.n, Far: far}
	switch {
	case l.over.Load():
		l.t.Logf("%+v has reached its limit", c)
		l.found.Add(c, nil)
	case x.Code() != 0:
		l.t.Fatalf("%+v: %v", c, x.Wait())
	default:
		l.t.Logf("%+v: %s, %s of the processors", c, u.Wall.Round(time.Millisecond), u.CPU)
		l.found.Add(c, &cost.Run{
			Wall: bench.Duration(u.Wall), CPU: bench.Duration(u.CPU), ProviderCPU: bench.Duration(u.ProviderCPU), CLIPeak: u.CLIPeak, ProviderPeak: u.ProviderPeak,
			Requests: len(l.wire.Requests()), Bytes: l.wire.Bytes(), State: int64(len(l.StateText(l.t))),
		})
	}
}

func distance(isFar bool) testcluster.Fault {
	if isFar {
		return testcluster.Delay(*far)
	}
	return testcluster.Fault{}
}
