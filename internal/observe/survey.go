package observe

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// Surveyed is one release on one cluster, as seen among all of its application.
type Surveyed struct {
	Cluster     string
	ID          release.ID
	Application string
	Environment string
	Record      *release.Record
	Created     time.Time          // of the record
	Workload    *appsv1.Deployment // nil: none

	Main      bool      // the application's address leads here, as it stands
	Position  int       // among the former mains, from 1, the newest; 0: none of them
	Collected string    // why the next promotion would remove it; empty: it would not
	KeptUntil time.Time // by keep_previous.ttl; zero: no ttl concerns it
}

// Survey are the releases of one cluster, or why it could not be read.
type Survey struct {
	Cluster  string
	Releases []Surveyed // the newest first
	Err      error

	Applications []string // that have an address or a release, by name
}

// Surveys lists the releases of a namespace, or of one of its applications, on
// every cluster from the shared watch caches.
func Surveys(ctx context.Context, clusters []ownership.Cluster, namespace, application string) []Survey {
	all, _ := fleet.All(fleet.ByName(clusters), func(c ownership.Cluster) (Survey, error) {
		found, err := surveyOn(ctx, c, namespace, application)
		if err != nil {
			found = Survey{Err: err}
		}
		found.Cluster = c.Name()
		return found, nil
	})
	return all
}

func surveyOn(ctx context.Context, c ownership.Cluster, namespace, application string) (Survey, error) {
	view := c.View(namespace)
	only := map[string]string{}
	if application != "" {
		only[release.LabelApplication] = application
	}
	configMaps, err := view.List(ctx, &corev1.ConfigMap{}, only)
	if err != nil {
		return Survey{}, err
	}
	r := register{mains: map[string]*release.Main{}, records: map[string]map[string]*release.Record{}}
	for _, obj := range configMaps {
		if err := r.enter(c, obj.(*corev1.ConfigMap)); err != nil {
			return Survey{}, err
		}
	}
	outlooks, splits := map[string]map[string]string{}, map[string]release.Split{}
	for of := range r.records {
		outlooks[of] = release.Removals(r.mains[of], r.records[of], c.Now())
		if r.mains[of] == nil {
			continue
		}
		svc, err := ownership.Cached(ctx, view, &corev1.Service{}, r.mains[of].Service)
		if err != nil {
			return Survey{}, err
		}
		splits[of] = traffic.SplitOf(svc)
	}
	for i := range r.found {
		s := &r.found[i]
		if s.Workload, err = ownership.Cached(ctx, view, &appsv1.Deployment{}, s.ID.Name); err != nil {
			return Survey{}, err
		}
		s.Main, s.Collected = splits[s.Application][s.ID.Name] > 0, outlooks[s.Application][s.ID.Name]
		if main := r.mains[s.Application]; main != nil && !s.Main {
			s.Position = slices.Index(main.Previous, s.ID.Name) + 1
			if s.Record.Custody == release.CustodyRetained {
				s.KeptUntil, _ = main.Expires(s.ID.Name)
			}
		}
	}
	slices.SortFunc(r.found, byAge)
	return Survey{Releases: r.found, Applications: r.applications()}, nil
}

// byAge sorts the newest first. Times of creation are whole seconds: within one,
// who became main last was made last.
func byAge(a, b Surveyed) int {
	place := func(s Surveyed) int {
		switch {
		case s.Main:
			return 0
		case s.Position > 0:
			return s.Position
		}
		return -1 // not main yet
	}
	return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(place(a), place(b)), cmp.Compare(a.ID.Name, b.ID.Name))
}

// register is what the ConfigMaps of a namespace say.
type register struct {
	mains   map[string]*release.Main              // by application; nil: it has no address
	records map[string]map[string]*release.Record // by application and name
	found   []Surveyed
}

// applications are those that have an address or a release.
func (r *register) applications() []string {
	names := slices.Collect(maps.Keys(r.records))
	for name, main := range r.mains {
		if main != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (r *register) enter(c ownership.Cluster, cm *corev1.ConfigMap) (err error) {
	of := cm.Labels[release.LabelApplication]
	switch cm.Labels[release.LabelRole] {
	case release.RolePointer:
		if r.mains[of], err = ownership.MainIn(cm.Data); err != nil {
			return ownership.Unreadable(c, cm, err)
		}
	case release.RoleRecord:
		record, err := ownership.RecordIn(cm.Data)
		if err != nil {
			return ownership.Unreadable(c, cm, err)
		}
		if r.records[of] == nil {
			r.records[of] = map[string]*release.Record{}
		}
		r.records[of][cm.Name] = record
		r.found = append(r.found, Surveyed{
			Cluster: c.Name(), ID: release.ID{Namespace: cm.Namespace, Name: cm.Name}, Application: of,
			Environment: cm.Labels[release.LabelEnvironment], Record: record, Created: cm.CreationTimestamp.UTC(),
		})
	}
	return nil
}
