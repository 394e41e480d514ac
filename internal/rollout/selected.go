package rollout

import (
	"context"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// Selection is what Services of somebody else's would do with the pods of a
// release that is about to be created.
type Selection struct {
	Cluster string
	// Selecting are the Services that would send traffic there before the release
	// is main, by name, and what they select.
	Selecting map[string]string
	// Avoided are those that would, too, if the pods carried LabelName: they go
	// without it.
	Avoided map[string]string
}

// nameless says that the pods go without LabelName.
func (s Selection) nameless() bool { return len(s.Avoided) > 0 }

// Names are Services' names, as they are written in a sentence.
func Names(services map[string]string) []string { return slices.Sorted(maps.Keys(services)) }

// Selections looks, in the shared watch caches, which Services would select the
// pods of a release that is not there yet. It is for telling: where it cannot be
// told, or the release is there, nothing is.
func (e *Engine) Selections(ctx context.Context, clusters []Cluster, spec release.Spec) []Selection {
	found, _ := fleet.All(fleet.ByName(clusters), func(c Cluster) (Selection, error) {
		t := newTarget(spec)
		d, err := ownership.Cached(ctx, c.View(t.id.Namespace), &appsv1.Deployment{}, t.id.Name)
		if err != nil || d != nil {
			return Selection{}, err
		}
		s, err := selection(ctx, c, t)
		if err != nil {
			return Selection{}, err
		}
		return s, nil
	})
	return slices.DeleteFunc(found, func(s Selection) bool { return len(s.Selecting)+len(s.Avoided) == 0 })
}

// unselected decides, before the first object of a release is written, whether its
// pods carry LabelName, and refuses it where Services of somebody else's would
// send them traffic before it is main.
func (e *Engine) unselected(ctx context.Context, c Cluster, t target) (target, error) {
	t.decided = true
	s, err := selection(ctx, c, t)
	if err != nil {
		return t, err
	}
	if len(s.Selecting) > 0 {
		// The address itself may select what it did before somebody's adoption.
		main, _, err := ownership.LiveMain(ctx, c, t.id.Namespace, t.application())
		if err != nil {
			return t, err
		}
		if main != nil {
			delete(s.Selecting, main.Service)
		}
	}
	if len(s.Selecting) > 0 {
		return t, &release.SelectedError{Cluster: c.Name(), ID: t.id, Services: s.Selecting}
	}
	if t.spec.Nameless = s.nameless(); t.spec.Nameless {
		t.avoided = s.Avoided
	}
	return t, nil
}

// selection reads the namespace's Services from a cache that all releases share:
// who makes one after this has the same effect as who makes one just before.
func selection(ctx context.Context, c Cluster, t target) (Selection, error) {
	s := Selection{Cluster: c.Name(), Selecting: map[string]string{}, Avoided: map[string]string{}}
	spec := t.spec
	spec.Nameless = false
	d, err := workload.Deployment(spec)
	if err != nil {
		return s, err
	}
	services, err := c.View(t.id.Namespace).Select(ctx, &corev1.Service{}, "", "")
	if err != nil {
		return s, err
	}
	named := d.Spec.Template.Labels
	bare := maps.Clone(named)
	delete(bare, release.LabelName)
	wanted := false // somebody shall select by LabelName
	for _, obj := range services {
		svc := obj.(*corev1.Service)
		switch {
		case !traffic.Selects(svc, named), svc.Name == t.id.Name, release.Foreign(c.Name(), "Service", svc, t.application()) == nil,
			traffic.Headless(svc), slices.Contains(spec.IgnoreServices, svc.Name):
		case slices.Contains(spec.AllowSelectedBy, svc.Name):
			wanted = wanted || !traffic.Selects(svc, bare)
		case traffic.Selects(svc, bare):
			s.Selecting[svc.Name] = labels.FormatLabels(svc.Spec.Selector)
		default:
			s.Avoided[svc.Name] = labels.FormatLabels(svc.Spec.Selector)
		}
	}
	if wanted { // the label stays, and with it all who select by it
		maps.Copy(s.Selecting, s.Avoided)
		s.Avoided = map[string]string{}
	}
	return s, nil
}
