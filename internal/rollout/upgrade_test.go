package rollout_test

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// The files below testdata/upgrade are namespaces as the provider before progress.json
// (commit ebe4b98) left them. Each was made by the tests of this package as they were
// then: an application (v1 is main, v2 beside it) was taken to where a verb was to be
// cut off, by a proxy's DiesAfter with the write that the file is named for, or to where
// it ended. Then every Service, Deployment, HorizontalPodAutoscaler,
// PodDisruptionBudget, ConfigMap and Lease of the namespace was written down as
// Recreate reads it: without uid, resourceVersion, generation, creationTimestamp, status
// and clusterIP, without what controllers manage, and dated a year back.

// recorded is an application as a former provider has left it. Its states have the
// tokens that are in its records.
func recorded(t *testing.T, c *testcluster.Cluster, file string) *life {
	t.Helper()
	l := newLife(t, c)
	l.replicas = 1
	l.cluster.Recreate(t, l.namespace, filepath.Join("testdata", "upgrade", file+".yaml"), func(o testcluster.Recorded) map[string]string { return workload.Baseline(o) })
	list, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: release.ManagedSelector})
	must(t, err)
	for _, cm := range list.Items {
		if record, err := release.ParseRecord(cm.Data); err == nil {
			l.owners[record.Version] = record.Owner
		}
		if main, err := release.MainOf(cm.Data); err == nil && main != nil {
			l.main = main.Owner
		}
	}
	return l
}

// upgrade is how one of them goes on.
type upgrade struct {
	file     string
	then     string // what is done that is not the same again
	as       func(*life)
	do       func(context.Context, *process) error
	main     string
	previous []string
	gone     []string // versions
	adds     []string // to the history
	refused  string   // what it fails with; empty: it does not
	address  string   // empty: api
	breaks   bool     // pods of main are not ready for a moment, or not drained, as they should be
	also     func(*life)
}

func upgrades() []upgrade {
	to := func(version string, keep release.Keep) func(context.Context, *process) error {
		return func(ctx context.Context, p *process) error {
			_, err := p.promoteKeeping(ctx, version, keep)
			return err
		}
	}
	baked := func(ctx context.Context, p *process) error {
		_, err := p.promoteBaking(ctx, "v2", baking{d: shortBake})
		return err
	}
	adopting := func(l *life) { l.adopt = true }
	inPlace := func(l *life) {
		l.replicas, l.names = 2, map[string]string{}
		for _, version := range []string{"v1", "v2"} {
			l.names[version], l.owners[version] = l.rolling(version, nil).Name(), l.owners["v1"]+l.owners["v2"]
		}
	}
	v1 := []string{"v1"}
	return []upgrade{
		{file: "promotion-before-shift", do: to("v2", oneStarted), main: "v2", previous: v1, adds: []string{"promote v1 v2"}},
		{file: "promotion-before-shift", then: "back", do: to("v1", oneStarted), main: "v1"},
		{file: "promotion-after-shift", do: baked, main: "v2", previous: v1, adds: []string{"promote v1 v2"}},
		{file: "promotion-after-shift", then: "back", do: to("v1", oneStarted), main: "v1", adds: []string{"rollback v2 v1"}},
		{file: "promotion-in-bake", do: baked, main: "v2", previous: v1},
		{file: "promotion-in-bake", then: "back", do: to("v1", oneStarted), main: "v1", adds: []string{"rollback v2 v1"}},
		{file: "promotion-in-bake", then: "and fails", main: "v1", adds: []string{"rollback v2 v1"}, breaks: true, refused: "0 of its 1 pods were ready", do: func(ctx context.Context, p *process) error {
			_, err := p.promoteBaking(ctx, "v2", baking{d: longBake, seen: p.failReady})
			return err
		}},
		{file: "promotion-in-bake-autoscaled", as: func(l *life) { l.replicas = 2 }, do: baked, main: "v2", previous: v1, also: func(l *life) {
			for _, kind := range []release.Companion{release.CompanionAutoscaler, release.CompanionDisruptionBudget} {
				if object := string(kind) + "/" + l.name("v2"); !slices.Contains(l.objects(), object) {
					l.t.Errorf("%s is gone", object)
				}
			}
		}},
		{file: "promotion-taken-back", do: baked, main: "v1", refused: "did not pass its bake", adds: []string{"rollback v2 v1"}},
		{file: "promotion-taken-back", then: "back", do: to("v1", oneStarted), main: "v1", adds: []string{"rollback v2 v1"}},
		{file: "promotion-committed", do: to("v3", release.Keep{}), main: "v3", previous: []string{"v2", "v1"}, gone: v1, adds: []string{"collect v1"}},
		{file: "promotion-first", do: to("v1", oneStarted), main: "v1", adds: []string{"promote - v1"}},
		{file: "promotion-renames", address: "front", do: func(ctx context.Context, p *process) error {
			service := p.service()
			service.Name = "front"
			_, err := p.engine.Promote(ctx, rollout.PromoteRequest{
				Service: service, To: p.name("v1"), Owner: p.main, Keep: oneStarted, Drain: faultyDrain, Clusters: p.on,
			})
			return err
		}, also: func(l *life) {
			if objects := l.objects(); slices.Contains(objects, "Service/api") || !slices.Contains(objects, "Service/front") || l.pointer().Service != "front" {
				l.t.Errorf("there are %v, and main is %+v", objects, l.pointer())
			}
		}},
		{file: "adopted", as: adopting, do: to("v2", oneStarted), main: "v2", previous: v1, adds: []string{"promote v1 v2"}},
		{file: "adoption-cut-off", as: adopting, do: to("v1", oneStarted), main: "v1", adds: []string{"promote - v1"}},
		{file: "create-cut-off", main: "v1", adds: []string{"deploy v3"}, do: func(ctx context.Context, p *process) error {
			return p.create(ctx, p.desired("v3", nil)) // it has left no state
		}, also: func(l *life) { l.stands("v3", release.StatusStarted, 1) }},
		{file: "create-failed", main: "v1", adds: []string{"deploy v3"}, do: func(ctx context.Context, p *process) error {
			return p.create(ctx, p.desired("v3", nil)) // with an image that is there
		}, also: func(l *life) { l.stands("v3", release.StatusStarted, 1) }},
		{file: "create-cancelled", main: "v3", previous: v1, adds: []string{"deploy v3", "promote v1 v3"}, do: func(ctx context.Context, p *process) error {
			return errors.Join(p.update(ctx, p.desired("v3", nil), false), p.promote(ctx, "v3", 1))
		}},
		{file: "stopped", main: "v2", previous: v1, adds: []string{"promote v1 v2", "start v2"}, do: func(ctx context.Context, p *process) error {
			return errors.Join(p.update(ctx, p.desired("v2", nil), false), p.promote(ctx, "v2", 1))
		}},
		{file: "stop-cut-off", main: "v1", adds: []string{"stop v2"}, do: func(ctx context.Context, p *process) error {
			_, err := p.engine.Stop(ctx, p.action("v2"))
			return err
		}, also: func(l *life) { l.stands("v2", release.StatusStopped, 0) }},
		{file: "terminate-cut-off", main: "v1", gone: []string{"v2"}, adds: []string{"terminate v2"}, do: func(ctx context.Context, p *process) error {
			return p.terminate(ctx, "v2")
		}},
		{file: "retained-started", main: "v1", previous: []string{"v2"}, do: goBack, adds: []string{"deploy v1", "retain v2", "rollback v2 v1"}},
		{file: "retained-stopped", main: "v1", previous: []string{"v2"}, do: goBack, adds: []string{"deploy v1", "retain v2", "rollback v2 v1"}},
		{file: "condemned", main: "v2", previous: v1, do: to("v2", oneStarted), adds: []string{"promote v1 v2", "retain v1"}, also: func(l *life) {
			l.isKept("v1", release.StatusStarted, 1)
		}},
		{file: "in-place-cut-off", as: inPlace, main: "v2", do: rollToV2, adds: []string{"update v1"}, breaks: true},
		{file: "in-place-failed", as: inPlace, main: "v2", do: rollToV2, adds: []string{"update v1"}, breaks: true},
	}
}

// goBack makes v1 main again, which nobody's state has any more, and v2 retained.
func goBack(ctx context.Context, p *process) error {
	return errors.Join(p.create(ctx, p.desired("v1", nil)), p.promote(ctx, "v1", 1), p.terminate(ctx, "v2"))
}

func rollToV2(ctx context.Context, p *process) error {
	return p.update(ctx, p.rolling("v2", nil), false)
}

// TestUpgrade: whatever a former provider has left unfinished, this one goes on with.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	for _, u := range upgrades() {
		t.Run(strings.TrimSpace(u.file+" "+u.then), func(t *testing.T) {
			t.Parallel()
			l := recorded(t, testcluster.Shared(t), u.file)
			if u.as != nil {
				u.as(l)
			}
			address := cmp.Or(u.address, "api")
			before, told := l.deployments(), len(l.history())
			main := l.cluster.WatchMain(t, l.namespace, address)
			l.proxy.Reset()
			err := l.apply(t.Context(), t, u.do)
			if u.refused == "" && err != nil || u.refused != "" && (err == nil || !strings.Contains(err.Error(), u.refused)) {
				t.Fatalf("it ended with %v\n%s", err, l.log())
			}
			if u.address == "" {
				l.wantMain(u.main, u.previous...)
			}
			l.nothingOpen()
			if _, lines := l.added(told); !slices.Equal(lines, u.adds) {
				t.Errorf("the history has %q of it, want %q", lines, u.adds)
			}
			for _, version := range before {
				if is := slices.Contains(l.deployments(), version); is == slices.Contains(u.gone, version) {
					t.Errorf("that %s is there is %t", version, is)
				}
			}
			if u.also != nil {
				u.also(l)
			}
			if !u.breaks {
				main.Check(t, faultyDrain)
			}
		})
	}
}

// nothingOpen fails the test unless no promotion is under way, as any provider reads
// it, and nobody is at work on the application.
func (l *life) nothingOpen() {
	l.t.Helper()
	client := l.cluster.Client()
	list, err := client.CoreV1().ConfigMaps(l.namespace).List(l.t.Context(), metav1.ListOptions{LabelSelector: release.ManagedSelector})
	must(l.t, err)
	for _, cm := range list.Items {
		if text := cm.Data[release.MainKey]; strings.Contains(text, "checkpoint") || text != "" && !strings.Contains(text, `"schema":1,`) || cm.Data[release.ProgressKey] != "" {
			l.t.Errorf("%s says %v", cm.Name, cm.Data)
		}
		if record, err := release.ParseRecord(cm.Data); err == nil && record.Busy() {
			l.t.Errorf("%s is %+v", cm.Name, record)
		}
	}
	lease, err := client.CoordinationV1().Leases(l.namespace).Get(l.t.Context(), release.MainName("api"), metav1.GetOptions{})
	if err != nil || *lease.Spec.HolderIdentity != "" {
		l.t.Errorf("the Lease is %+v, %v", lease, err)
	}
}
