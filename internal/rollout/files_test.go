package rollout_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// filed is a version in place with a file; no text is none.
func (l *life) filed(text string) release.Spec {
	spec := l.spec("v1", "demo/api")
	spec.Strategy = release.StrategyRolling
	if text != "" {
		spec.Content.Container.Files = map[string]string{"/etc/app/config": text}
	}
	return spec
}

// filedLife is what can become of files in place.
func filedLife() []killedStep {
	has := func(text string) func(*life) release.Spec {
		return func(l *life) release.Spec { return l.filed(text) }
	}
	return []killedStep{
		{"create", func(ctx context.Context, p *process) error { return p.create(ctx, p.filed("a")) }, has("a"), 5},
		{"others", func(ctx context.Context, p *process) error { return p.update(ctx, p.filed("b"), false) }, has("b"), 6},
		{"terminate", func(ctx context.Context, p *process) error { return p.terminate(ctx, "v1") }, nil, 10},
	}
}

// TestFilesKilledAfterEveryWrite ends the process after each of its writes: the same apply
// finds its way from there, and nothing but the files that are mounted is left.
func TestFilesKilledAfterEveryWrite(t *testing.T) {
	t.Parallel()
	steps := filedLife()
	round{
		steps: steps,
		kills: []killedIn{{steps[0].name, 0, []int{0}, 0}, {steps[1].name, 1, []int{1}, 0}, {steps[2].name, 2, []int{2}, 0}},
		begin: func(t *testing.T) *life {
			l := newLife(t, testcluster.Shared(t))
			l.names = map[string]string{"v1": l.filed("").Name()}
			return l
		},
		stands: func(l *life, done killedStep) { l.t.Helper(); l.wantFiles(done.spec) },
		twice:  true,
	}.killed(t, 3)
}

// wantFiles fails the test unless the files are those of what stands, and no others.
func (l *life) wantFiles(spec func(*life) release.Spec) {
	l.t.Helper()
	if spec == nil {
		if left := l.objects(); len(left) > 0 {
			l.t.Errorf("there are %v", left)
		}
		return
	}
	want := spec(l)
	var names []string
	if files := workload.Files(want); files != nil {
		names = []string{"ConfigMap/" + files.Name}
	}
	got := slices.DeleteFunc(l.objects(), func(o string) bool { return !strings.Contains(o, "-files") })
	if !slices.Equal(got, names) {
		l.t.Errorf("there are %v, want %v\n%s", got, names, l.log())
	}
	p := l.process(l.t)
	defer p.end()
	o := observe.Releases(l.t.Context(), p.on, release.ID{Namespace: l.namespace, Name: want.Name()})[0]
	if o.Err != nil || o.Record.Status != release.StatusStarted || o.Record.Busy() || !slices.Equal(o.Record.Companions, want.Companions()) || workload.ContentHash(o.Workload) != want.Content.Normalize().Hash() {
		l.t.Errorf("it is %+v %+v", o, o.Record)
	}
}
