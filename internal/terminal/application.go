package terminal

import (
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// ApplicationList is what get prints of several applications.
type ApplicationList struct {
	Head
	Items  []ApplicationSummary `json:"items" is:"the applications, by namespace and name"`
	Unread []Unread             `json:"unread" is:"clusters that could not be read: all else is without them"`
}

// ApplicationSummary is an application on all clusters that were looked at.
type ApplicationSummary struct {
	Namespace string                    `json:"namespace" is:"its namespace"`
	Name      string                    `json:"name" is:"its name"`
	Status    release.EnvironmentStatus `json:"status" is:"how it is: one of the words of the data source switchback_environment, or unknown where its address may not be read"`
	Promotion release.MainStatus        `json:"promotion,omitempty" is:"how far the last promotion came, on the page Statuses; left out where it has no address"`
	Main      string                    `json:"main,omitempty" is:"the release that has all of the traffic; left out where it is shared, or where the clusters differ"`
	Version   string                    `json:"version,omitempty" is:"the version of main"`
	Clusters  []string                  `json:"clusters" is:"the clusters that it was found on"`
	Running   []string                  `json:"running" is:"releases that have ready pods, the newest first"`
	Problems  []string                  `json:"problems" is:"what is wrong, a line each"`
	Addresses []Address                 `json:"addresses" is:"its own address on each cluster"`
}

// Address is an application's own address on one cluster, and who has its traffic.
type Address struct {
	Cluster    string             `json:"cluster" is:"the cluster"`
	Service    string             `json:"service" is:"name of the Service that is the address"`
	Status     release.MainStatus `json:"status" is:"how far the last promotion came there"`
	Reason     string             `json:"reason,omitempty" is:"why status is what it is, where there is something to say"`
	Split      release.Split      `json:"split" is:"who has the traffic: release, to percent"`
	Main       string             `json:"main" is:"the release that is main; during a promotion, the one before it"`
	Group      string             `json:"group,omitempty" is:"the group that moves it with others"`
	Stopped    string             `json:"stopped,omitempty" is:"who has stopped the application as a whole, since when and why, where no configuration has"`
	PromotedAt *metav1.Time       `json:"promotedAt,omitempty" is:"when the traffic last moved"`
	Promotion  *Promotion         `json:"promotion,omitempty" is:"the promotion that is not over"`
}

// Promotion is one that is not over.
type Promotion struct {
	From      string            `json:"from,omitempty" is:"who had the traffic before it; left out for nobody"`
	To        string            `json:"to" is:"who is to have it"`
	Direction release.Direction `json:"direction" is:"forward; back, to where the traffic was; or none, where nothing could take it back"`
	Steps     []string          `json:"steps" is:"all its steps"`
	Step      int               `json:"step" is:"the one that is being done, from 1"`
	Paused    bool              `json:"paused" is:"whether the run has ended in a pause, which a later one goes on with"`
	Holder    string            `json:"holder,omitempty" is:"who began it"`
}

// unknown is how an application is of which nobody can tell where its traffic goes.
const unknown release.EnvironmentStatus = "unknown"

// summaryOf is what was seen of an application, without its releases.
func summaryOf(app observe.Application) ApplicationSummary {
	s := app.Summary()
	shown := ApplicationSummary{
		Namespace: app.Namespace, Name: app.Name, Status: s.Status, Promotion: s.MainStatus, Main: s.Main, Version: s.Version,
		Clusters: s.Clusters, Running: s.Running, Problems: s.Problems, Addresses: []Address{},
	}
	if len(app.Mains) == 0 && len(app.Unread) > 0 {
		shown.Status = unknown
	}
	for i, problem := range shown.Problems {
		shown.Problems[i] = mask.Redact(problem)
	}
	for _, o := range app.Mains {
		shown.Addresses = append(shown.Addresses, addressOf(o))
	}
	return shown
}

func addressOf(o observe.Main) Address {
	status, reason := observe.StatusOf([]observe.Main{o})
	a := Address{
		Cluster: o.Cluster, Service: o.Main.Service, Status: status, Reason: mask.Redact(reason), Split: o.Traffic(),
		Main: o.Main.Deployment, Group: o.Main.Group, PromotedAt: timeOf(o.Main.PromotedAt),
	}
	if by := o.Main.StaysStopped(); by != nil {
		a.Stopped = mask.Redact(by.StopText())
	}
	if p := o.Main.Progress; p != nil {
		a.Promotion = &Promotion{From: p.From, To: p.To, Direction: p.Direction, Step: min(p.At+1, len(p.Steps)), Paused: p.Paused, Holder: p.Holder, Steps: []string{}}
		for _, step := range p.Steps {
			a.Promotion.Steps = append(a.Promotion.Steps, step.String())
		}
	}
	return a
}

// print shows the list as a table.
func (l ApplicationList) print(w io.Writer, a *asked, now time.Time) error {
	columns := []column{{"Name", false}, {"Status", false}, {"Version", false}, {"Traffic", false}, {"Promotion", false}, {"Promoted", false}, {"Clusters", true}, {"Running", true}, {"Problems", true}}
	if a.all {
		columns = slices.Insert(columns, 0, column{"Namespace", false})
	}
	var rows [][]any
	for _, app := range l.Items {
		row := []any{
			app.Name, app.Status, orNone(app.Version), app.traffic(), orNone(string(app.Promotion)), age(app.promotedAt(), now),
			orNone(strings.Join(app.Clusters, ",")), orNone(strings.Join(app.Running, ",")), orNone(strings.Join(app.Problems, "; ")),
		}
		if a.all {
			row = slices.Insert(row, 0, any(app.Namespace))
		}
		rows = append(rows, row)
	}
	return a.writeTable(w, columns, rows)
}

// nowOf is the time by the clock of a cluster, whose times are shown.
func nowOf(clusters []rollout.Cluster) time.Time {
	if len(clusters) == 0 {
		return time.Now()
	}
	return clusters[0].Now()
}

// promotedAt is when the traffic last moved, on any cluster.
func (s ApplicationSummary) promotedAt() (latest *metav1.Time) {
	for _, a := range s.Addresses {
		if a.PromotedAt != nil && (latest == nil || latest.Before(a.PromotedAt)) {
			latest = a.PromotedAt
		}
	}
	return latest
}

// traffic says who has the traffic: once for all clusters where it is the same.
func (s ApplicationSummary) traffic() string {
	if s.Status == unknown {
		return string(unknown)
	}
	texts := map[string][]string{}
	for _, a := range s.Addresses {
		text := a.Split.String()
		texts[text] = append(texts[text], a.Cluster)
	}
	if len(texts) <= 1 {
		return orNone(strings.Join(slices.Collect(maps.Keys(texts)), ""))
	}
	var parts []string
	for _, a := range s.Addresses {
		parts = append(parts, a.Cluster+": "+a.Split.String())
	}
	return strings.Join(parts, "; ")
}
