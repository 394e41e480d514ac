package observe

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Application is what was seen of an application on several clusters.
type Application struct {
	Namespace, Name string
	Mains           []Main     // of the clusters on which it has an address
	Releases        []Surveyed // the newest first
	Unread          []string   // clusters of which it is not known where its address leads

	known map[string]bool // "cluster/name" of every release, of any environment
}

// Applications reads those of a namespace, or the one that is named, on every cluster,
// in the order of their names. An environment leaves only what concerns that; nil is
// every one. unread are the clusters that could not be read, and why: what is there is
// told without them.
func Applications(ctx context.Context, clusters []ownership.Cluster, namespace, application string, environment *string) (all []Application, unread map[string]error) {
	unread = map[string]error{}
	apps, reached := map[string]*Application{}, slices.Clone(clusters)
	for _, s := range Surveys(ctx, clusters, namespace, application) {
		if s.Err != nil {
			unread[s.Cluster] = s.Err
			reached = slices.DeleteFunc(reached, func(c ownership.Cluster) bool { return c.Name() == s.Cluster })
			continue
		}
		for _, name := range s.Applications {
			if apps[name] == nil {
				apps[name] = &Application{Namespace: namespace, Name: name, known: map[string]bool{}}
			}
		}
		for _, found := range s.Releases {
			apps[found.Application].known[s.Cluster+"/"+found.ID.Name] = true
			if environment == nil || *environment == found.EnvironmentName() {
				apps[found.Application].Releases = append(apps[found.Application].Releases, found)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(apps)) {
		app := apps[name]
		if environment != nil && len(app.Releases) == 0 {
			continue
		}
		for _, o := range Mains(ctx, reached, namespace, name, "") {
			if o.Err != nil {
				unread[o.Cluster], app.Unread = andAlso(unread[o.Cluster], o.Err), append(app.Unread, o.Cluster)
			} else if o.Main != nil && (o.Main.Deployment != "" || o.shares()) && (environment == nil || app.concerns(o)) {
				app.Mains = append(app.Mains, o)
			}
		}
		slices.SortStableFunc(app.Releases, func(a, b Surveyed) int { return b.Created.Compare(a.Created) })
		all = append(all, *app)
	}
	return all, unread
}

// andAlso is why a cluster could not be read, each reason once: what keeps one application's
// address from being read keeps others', too.
func andAlso(why, also error) error {
	if why != nil && strings.Contains(why.Error(), also.Error()) {
		return why
	}
	return errors.Join(why, also)
}

// OtherWith is another application of the namespace whose memory of its address has
// something; empty where there is none. It asks the API server.
func OtherWith(ctx context.Context, c ownership.Cluster, namespace, application string, has func(*release.Main) bool) (other string, err error) {
	list := &corev1.ConfigMapList{}
	if err := c.List(ctx, namespace, release.ManagedSelector+","+release.LabelRole+"="+release.RolePointer, list); err != nil {
		return "", err
	}
	for i := range list.Items {
		of := list.Items[i].Labels[release.LabelApplication]
		main, err := release.ParseMain(list.Items[i].Data)
		if err == nil && of != application && has(main) {
			return of, nil
		}
	}
	return "", nil
}

// Unclaimed returns a *release.AdoptionError where another application calls a Service its
// address, whatever it selects just now.
func Unclaimed(ctx context.Context, c ownership.Cluster, svc *corev1.Service, application string) error {
	other, err := OtherWith(ctx, c, svc.Namespace, application, func(main *release.Main) bool { return main.Service == svc.Name })
	if err != nil || other == "" {
		return err
	}
	return release.AdoptedElsewhere(c.Name(), svc, other)
}

// RuleUnclaimed returns a *release.RuleError where another application moves a rule, whatever
// it leads to just now.
func RuleUnclaimed(ctx context.Context, c ownership.Cluster, namespace, application string, rule release.Route) error {
	other, err := OtherWith(ctx, c, namespace, application, func(main *release.Main) bool { return main.Route.Is(&rule) })
	if err != nil || other == "" {
		return err
	}
	return release.RuleAdoptedElsewhere(c.Name(), namespace, rule, other)
}

// leads are the releases that the address of a cluster leads to; false where there are
// none, or where some of the traffic goes elsewhere.
func (a *Application) leads(o Main) (names []string, ok bool) {
	names = slices.Sorted(maps.Keys(o.Split))
	for _, name := range names {
		if !a.known[o.Cluster+"/"+name] {
			return nil, false
		}
	}
	return names, len(names) > 0
}

// concerns says whether an address is a matter of the application's releases: it leads
// to one of them, or to none at all.
func (a *Application) concerns(o Main) bool {
	names, leads := a.leads(o)
	return !leads || slices.ContainsFunc(a.Releases, func(s Surveyed) bool { return s.Cluster == o.Cluster && slices.Contains(names, s.ID.Name) })
}

// shares says whether a first release shares the traffic with what an adopted rule led to
// before.
func (o Main) shares() bool {
	return o.Main != nil && o.Main.Deployment == "" && o.Main.Progress != nil && o.Main.Progress.Theirs != ""
}

// Summary is an application in a few words.
type Summary struct {
	Status     release.EnvironmentStatus
	MainStatus release.MainStatus // how far the last promotion came; empty: it has no address

	Main     string   // the release with all of the traffic wherever there is an address; empty: it is shared, or they disagree
	Version  string   // of that one
	Clusters []string // that it was found on
	Running  []string // releases with ready pods, the newest first
	Problems []string // a line each
}

// Summary sums up what was seen.
func (a *Application) Summary() Summary {
	s := Summary{Clusters: []string{}, Running: []string{}, Problems: []string{}}
	state := a.address(&s)
	on := map[string]bool{}
	for _, o := range a.Mains {
		on[o.Cluster] = true
	}
	for _, r := range a.Releases {
		on[r.Cluster] = true
		status, reason := r.Status()
		state.Releases = append(state.Releases, release.ApplicationMember{Status: status, Custody: r.Record.Custody, Main: r.Main})
		if ready, _ := r.Pods(); ready > 0 && !slices.Contains(s.Running, r.ID.Name) {
			s.Running = append(s.Running, r.ID.Name)
		}
		if r.ID.Name == s.Main {
			s.Version = r.Record.Version
		}
		if status.Kind() == release.KindError || status == release.StatusCancelled {
			s.Problems = append(s.Problems, problemOf(r, status, reason))
		}
	}
	s.Clusters = slices.Sorted(maps.Keys(on))
	s.Status = state.Status()
	return s
}

// address sums up the application's address on all clusters.
func (a *Application) address(s *Summary) (state release.ApplicationState) {
	led, shared := map[string]bool{}, false
	for _, o := range a.Mains {
		status, reason := StatusOf([]Main{o})
		state.Main = append(state.Main, status)
		if s.MainStatus == "" || status != release.MainFinalized {
			s.MainStatus = status
		}
		if reason != "" {
			s.Problems = append(s.Problems, "the main deployment is "+string(status)+": "+reason)
		}
		if o.shares() {
			shared = true
			continue
		}
		names, leads := a.leads(o)
		if !leads {
			state.Nowhere = true
			s.Problems = append(s.Problems, fmt.Sprintf("the address on cluster %q leads to no deployment", o.Cluster))
			continue
		}
		if len(names) > 1 { // shared for a while: who had all of it stands for the address
			shared, names = true, []string{o.Main.Deployment}
		}
		led[names[0]] = true
	}
	names := slices.Sorted(maps.Keys(led))
	if len(names) > 1 {
		state.Apart = true
		quoted := make([]string, len(names))
		for i, name := range names {
			quoted[i] = fmt.Sprintf("%q", name)
		}
		s.Problems = append(s.Problems, "the clusters lead to different deployments: "+strings.Join(quoted, ", "))
	}
	if !state.Nowhere && !shared && len(names) == 1 {
		s.Main = names[0]
	}
	return state
}

// problemOf is what is wrong with a release, in one line.
func problemOf(s Surveyed, status release.Status, reason string) string {
	text := fmt.Sprintf("%s (%s) on cluster %q is %s", s.ID.Name, s.Record.Version, s.Cluster, status)
	if reason != "" {
		text += ": " + reason
	}
	return text
}
