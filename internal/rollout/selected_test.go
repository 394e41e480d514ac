package rollout_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// TestNewPodsGetNoTrafficBeforeTheyAreMain: what is there before a release is
// created decides whether its pods carry the label that others select by, and
// whether it is created at all.
func TestNewPodsGetNoTrafficBeforeTheyAreMain(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	ctx := t.Context()
	p := l.process(t)
	if err := p.create(ctx, l.desired("v1", nil)); err != nil { // before anybody selects anything
		t.Fatal(err)
	}
	named := map[string]string{release.LabelName: "api"}
	l.serves("web", named)

	// What exists keeps its label, its pods and its name.
	pods, before := l.pods("v1"), l.workload("v1")
	if err := l.once(t).update(ctx, l.desired("v1", func(spec *release.Spec) { spec.AllowSelectedBy = []string{"web"} }), false); err != nil {
		t.Fatal(err)
	}
	l.stands("v1", release.StatusStarted, 2)
	if !slices.Equal(pods, l.pods("v1")) || l.workload("v1").Spec.Template.Labels[release.LabelName] != "api" || l.workload("v1").Generation != before.Generation {
		t.Errorf("v1 was touched: %+v", l.workload("v1").ObjectMeta)
	}

	// A new one goes without, and says so.
	p = l.process(t)
	selections := p.engine.Selections(ctx, p.on, l.desired("v2", nil))
	if len(selections) != 1 || len(selections[0].Selecting) > 0 || selections[0].Avoided["web"] != "app.kubernetes.io/name=api" {
		t.Errorf("a plan would tell %+v", selections)
	}
	done, err := p.engine.Deploy(ctx, p.on, l.desired("v2", nil))
	if err != nil {
		t.Fatal(err)
	}
	l.owners["v2"] = done.Owner
	if len(done.Notices) != 1 || !strings.Contains(done.Notices[0].Detail, "the Service web of namespace "+l.namespace) {
		t.Errorf("it says %v", done.Notices)
	}
	d := l.workload("v2")
	if !workload.Nameless(d) || d.Labels[release.LabelName] != "api" || !l.record("v2").Nameless {
		t.Errorf("its labels are %v, those of its pods %v", d.Labels, d.Spec.Template.Labels)
	}
	l.stands("v2", release.StatusStarted, 2) // without drift

	// That stays so, whatever is done to it, and when nobody selects by it any more.
	l.servesNoMore("web")
	pods = l.pods("v2")
	if err := errors.Join(l.once(t).update(ctx, l.desired("v2", nil), false), l.once(t).create(ctx, l.desired("v2", nil))); err != nil {
		t.Fatal(err)
	}
	l.stands("v2", release.StatusStarted, 2)
	if err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Delete(ctx, l.name("v2"), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := l.once(t).update(ctx, l.desired("v2", nil), false); err != nil { // its record was lost
		t.Fatal(err)
	}
	l.stands("v2", release.StatusStarted, 2)
	if !slices.Equal(pods, l.pods("v2")) || !workload.Nameless(l.workload("v2")) || !l.record("v2").Nameless {
		t.Error("v2 was changed")
	}

	// Where a label of the user's own is selected, it is refused before anything is
	// written, unless that is allowed.
	l.serves("tier", map[string]string{"tier": "web"})
	l.serves("web", named)
	l.serves("discovery", map[string]string{"tier": "web"}, headless)
	tiered := func(allow ...string) release.Spec {
		return l.desired("v3", func(spec *release.Spec) {
			spec.Content.Labels, spec.AllowSelectedBy = map[string]string{"tier": "web"}, allow
		})
	}
	l.names = map[string]string{"v3": tiered().Name()}
	p = l.process(t)
	objects := l.objects()
	var refused *release.SelectedError
	if err := p.create(ctx, tiered()); !errors.As(err, &refused) || !strings.Contains(err.Error(), "the Service "+l.namespace+"/tier (tier=web)") || len(refused.Services) != 1 {
		t.Errorf("it was created: %v", err)
	}
	if got := l.objects(); !slices.Equal(got, objects) || len(l.pods("v3")) > 0 {
		t.Errorf("left are %v, want %v", got, objects)
	}
	if s := p.engine.Selections(ctx, p.on, tiered()); len(s) != 1 || !slices.Equal(rollout.Names(s[0].Selecting), []string{"tier"}) {
		t.Errorf("a plan would tell %+v", s)
	}
	// Who allows one by the name does not allow the others.
	if err := l.once(t).create(ctx, tiered("tier")); err != nil {
		t.Fatal(err)
	}
	if !workload.Nameless(l.workload("v3")) || !slices.Equal(l.record("v3").AllowSelectedBy, []string{"tier"}) {
		t.Errorf("its pods have the labels %v", l.workload("v3").Spec.Template.Labels)
	}
	if err := l.once(t).terminate(ctx, "v3"); err == nil || !strings.Contains(err.Error(), "tier selects its pods") {
		t.Errorf("removed with traffic: %v", err)
	}
	l.servesNoMore("tier")
	if err := l.once(t).create(ctx, tiered("tier", "web")); err != nil { // it is there: what it is stays
		t.Fatal(err)
	}
	if !workload.Nameless(l.workload("v3")) {
		t.Error("the label came back")
	}
	if err := l.once(t).terminate(ctx, "v3"); err != nil {
		t.Fatal(err)
	}
	if err := l.once(t).create(ctx, tiered("tier", "web")); err != nil {
		t.Fatal(err)
	}
	if workload.Nameless(l.workload("v3")) {
		t.Error("the label is missing, although it is allowed that web selects by it")
	}
}

// TestHandBackDoesNotMixOldAndNew: an adopted Service does not go back to a
// selector that selects pods of both sides, unless that was allowed.
func TestHandBackDoesNotMixOldAndNew(t *testing.T) {
	t.Parallel()
	l, _ := newAdoptingLife(t)
	ctx := t.Context()
	mixing := func(allow ...string) release.Spec {
		return l.desired("v1", func(spec *release.Spec) {
			spec.Content.Labels, spec.AllowSelectedBy = testcluster.LegacySelector("api"), allow
		})
	}
	l.names = map[string]string{"v1": mixing().Name()}
	p := l.process(t)
	var refused *release.SelectedError
	if err := p.create(ctx, mixing()); !errors.As(err, &refused) {
		t.Fatalf("it was created: %v", err)
	}
	if err := p.create(ctx, mixing("api")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.promote(ctx, "v1", 1), p.update(ctx, mixing(), false)); err != nil {
		t.Fatal(err)
	}
	err := l.once(t).unmain(ctx)
	if err == nil || !strings.Contains(err.Error(), "are also the pods of "+l.name("v1")) || !strings.Contains(err.Error(), `allow_selected_by = ["api"]`) {
		t.Errorf("it says %v", err)
	}
	if got := l.address().Spec.Selector[release.LabelDeployment]; got != l.name("v1") {
		t.Errorf("the Service selects %v", l.address().Spec.Selector)
	}
	// The way that it says.
	l.main = ""
	p = l.process(t)
	if err := errors.Join(p.promote(ctx, "v1", 1), p.update(ctx, mixing("api"), false)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.unmain(ctx)); err != nil {
		t.Fatal(err)
	}
	if got := l.address().Spec.Selector; got["app"] != "api" || len(got) != 1 {
		t.Errorf("the Service selects %v", got)
	}
	_, err = l.cluster.Client().CoreV1().Services(l.namespace).Patch(ctx, "api", types.MergePatchType, []byte(`{"spec":{"selector":{"side":"old"}}}`), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.once(t).terminate(ctx, "v1"); err != nil {
		t.Error(err)
	}
}
