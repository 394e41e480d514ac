package observe

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestApplicationsInTheOrderOfTheirGroups: whoever comes after others in a group does so
// here, also where some of these are not meant, and whoever is in none stays at its place.
func TestApplicationsInTheOrderOfTheirGroups(t *testing.T) {
	t.Parallel()
	group := &release.Asked{Group: &release.GroupAsked{Members: map[string]release.MemberAsked{
		"last":   {ID: "shop/api", After: []string{"middle", "first"}},
		"middle": {ID: "shop/cart", After: []string{"first"}},
		"first":  {ID: "shop/web"},
		"beyond": {ID: "billing/web", After: []string{"last"}}, // of that name, elsewhere
	}}}
	waves := &release.Asked{Group: &release.GroupAsked{
		Members: map[string]release.MemberAsked{"a": {ID: "shop/a"}, "b": {ID: "shop/web"}, "c": {ID: "shop/cart", After: []string{"b"}}, "d": {ID: "shop/zoo"}},
		Waves:   []release.WaveAsked{{Members: []string{"c", "b"}}, {Members: []string{"a", "d"}}},
	}}
	app := func(name string, asked *release.Asked) Application {
		return Application{Namespace: "shop", Name: name, Mains: []Main{{Main: &release.Main{Asked: asked}}}}
	}
	for want, apps := range map[string][]Application{
		"[web cart api batch]": {app("api", group), app("batch", nil), app("cart", group), app("web", group)},
		"[web api]":            {app("api", group), app("web", group)},
		"[cart api]":           {app("api", group), app("cart", group)},
		"[web cart a]":         {app("a", waves), app("cart", waves), app("web", waves)},
		"[web cart zoo]":       {app("cart", waves), app("web", waves), app("zoo", waves)},
		"[a b]":                {app("a", nil), app("b", &release.Asked{})},
		"[]":                   {},
	} {
		if got := fmt.Sprint(inOrder(apps)); got != want {
			t.Errorf("the order is %s, want %s", got, want)
		}
	}
}

// TestApplicationsByLabels: the labels of a release's workload and of its pods count; what has
// no workload has none.
func TestApplicationsByLabels(t *testing.T) {
	t.Parallel()
	workload := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"team": "payments"}}}
	workload.Spec.Template = corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"tier": "web"}}}
	app := Application{Releases: []Surveyed{{}, {Workload: workload}}}
	for text, want := range map[string]bool{
		"": true, "team=payments": true, "tier=web": true, "team=payments,tier=web": true, "team=search": false, "team": true, "team,tier!=web": false,
	} {
		selector, err := labels.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if app.Labelled(selector) != want {
			t.Errorf("%q: it matches: %t", text, !want)
		}
	}
}
