package terminal

import (
	"fmt"
	"io"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Application is what get prints of one application.
type Application struct {
	Head
	ApplicationSummary
	Releases []Release `json:"releases" is:"its releases on each cluster, the newest first"`
	Unread   []Unread  `json:"unread" is:"clusters that could not be read: all else is without them"`
}

// Release is one release of an application on one cluster.
type Release struct {
	Name        string          `json:"name" is:"its name, which is that of its objects"`
	Cluster     string          `json:"cluster" is:"the cluster"`
	Role        Role            `json:"role" is:"what it is to its application: see above"`
	Version     string          `json:"version" is:"its version, as it was written"`
	Environment string          `json:"environment,omitempty" is:"its environment"`
	Status      release.Status  `json:"status" is:"how far it came, on the page Statuses"`
	Reason      string          `json:"reason,omitempty" is:"why status is what it is, where there is something to say"`
	Custody     release.Custody `json:"custody" is:"who answers for it: owned is in a Terraform state, retained is kept for going back"`
	Share       int             `json:"share" is:"percent of the traffic that it has"`
	Ready       int32           `json:"ready" is:"how many of its pods are ready"`
	Pods        int32           `json:"pods" is:"how many it should have"`
	CreatedAt   *metav1.Time    `json:"createdAt" is:"when it was created on this cluster"`
	CreatedBy   string          `json:"createdBy,omitempty" is:"who created it, as the cluster names the user"`
	KeptUntil   *metav1.Time    `json:"keptUntil,omitempty" is:"when keep_previous.ttl ends for it: the next change after that removes it"`
	Removed     string          `json:"removed,omitempty" is:"why the next promotion will remove it; left out where it will not"`
}

// Role is what a release is to its application.
type Role string

// Roles, the first that is true of a release.
const (
	RoleCandidate Role = "candidate" // a promotion to it is not over
	RoleMain      Role = "main"      // it has the traffic, or had all of it before a promotion that is not over
	RolePrevious  Role = "previous"  // main before: the way back
	RoleFormer    Role = "former"    // main before that
	RoleFailed    Role = "failed"    // its create failed, and nobody's state has it
	RoleLeaving   Role = "leaving"   // it is being removed, or will be as soon as it has no traffic
	RoleNew       Role = "new"       // it has not been main
)

// Roles lists every Role.
func Roles() []Role {
	return []Role{RoleCandidate, RoleMain, RolePrevious, RoleFormer, RoleFailed, RoleLeaving, RoleNew}
}

// Meaning says what the role means.
func (r Role) Meaning() string {
	switch r {
	case RoleCandidate:
		return "a promotion to it is not over"
	case RoleMain:
		return "it has the traffic, or had all of it before a promotion that is not over"
	case RolePrevious:
		return "it was main before: the way back"
	case RoleFormer:
		return "it was main before that"
	case RoleFailed:
		return "its create failed, and it is in nobody's Terraform state"
	case RoleLeaving:
		return "it is being removed, or will be as soon as it has no traffic"
	case RoleNew:
		return "it has not been main"
	}
	return ""
}

// applicationOf is what was seen of an application and its releases.
func applicationOf(app observe.Application) Application {
	shown := Application{Head: headOf("Application"), ApplicationSummary: summaryOf(app), Releases: []Release{}, Unread: []Unread{}}
	for _, s := range app.Releases {
		shown.Releases = append(shown.Releases, releaseOf(s, mainOn(app.Mains, s.Cluster)))
	}
	return shown
}

// mainOn is the address on a cluster; the zero value where there is none.
func mainOn(mains []observe.Main, cluster string) observe.Main {
	for _, o := range mains {
		if o.Cluster == cluster {
			return o
		}
	}
	return observe.Main{}
}

func releaseOf(s observe.Surveyed, o observe.Main) Release {
	status, reason := s.Status()
	ready, wanted := s.Pods()
	return Release{
		Name: s.ID.Name, Cluster: s.Cluster, Role: roleOf(s, o), Version: mask.Redact(s.Record.Version), Environment: mask.Redact(s.EnvironmentName()),
		Status: status, Reason: mask.Redact(reason), Custody: s.Record.Custody, Share: o.Traffic()[s.ID.Name], Ready: ready, Pods: wanted,
		CreatedAt: timeOf(s.Created), CreatedBy: mask.Redact(s.Record.CreatedBy), KeptUntil: timeOf(s.KeptUntil), Removed: mask.Redact(s.Collected),
	}
}

// roleOf is what a release is to its application.
func roleOf(s observe.Surveyed, o observe.Main) Role {
	name := s.ID.Name
	switch stable, _ := o.Split.Stable(); {
	case o.Main != nil && o.Main.Progress != nil && o.Main.Progress.To == name && o.Main.Progress.From != name:
		return RoleCandidate
	case stable == name, o.Main != nil && o.Main.Deployment == name, o.Main != nil && o.Main.Progress != nil && o.Main.Progress.From == name:
		return RoleMain
	case s.Record.Custody == release.CustodyAbandoned:
		return RoleFailed
	case s.Record.Custody == release.CustodyCondemned, s.Record.Custody == release.CustodyTerminating:
		return RoleLeaving
	case s.Position == 1:
		return RolePrevious
	case s.Position > 1:
		return RoleFormer
	}
	return RoleNew
}

// print shows the application as a table of its releases, and below it, in lines, what there
// is to say.
func (a Application) print(w io.Writer, f *format, several bool, now time.Time) error {
	columns := []column{{"Cluster", false}, {"Name", false}, {"Role", false}, {"Version", false}, {"Status", false}, {"Traffic", false}, {"Pods", false}, {"Age", false}, {"Custody", true}, {"Environment", true}, {"Created by", true}, {"Reason", true}}
	var rows [][]any
	for _, r := range a.Releases {
		row := []any{
			r.Cluster, r.Name, r.Role, r.Version, r.Status, fmt.Sprintf("%d%%", r.Share), fmt.Sprintf("%d/%d", r.Ready, r.Pods), age(r.CreatedAt, now),
			r.Custody, orNone(r.Environment), orNone(r.CreatedBy), orNone(r.Reason),
		}
		rows = append(rows, row)
	}
	if err := f.writeClusters(w, several, columns, rows); err != nil || f.noHeaders {
		return err
	}
	for i, line := range a.lines(several) {
		before := ""
		if i == 0 {
			before = "\n"
		}
		if _, err := fmt.Fprintf(w, "%s%s\n", before, line); err != nil {
			return err
		}
	}
	return nil
}

// lines say what is wrong, and who has stopped what has no pods, where no configuration has.
func (a Application) lines(several bool) (lines []string) {
	on := func(cluster string) string {
		if several {
			return " on " + cluster
		}
		return ""
	}
	if len(a.Addresses) == 0 {
		lines = append(lines, fmt.Sprintf("%s is %s: it has no address: no main deployment leads to a release", a.Name, a.Status))
	}
	for _, problem := range a.Problems {
		lines = append(lines, fmt.Sprintf("%s is %s: %s", a.Name, a.Status, problem))
	}
	for _, address := range a.Addresses {
		if address.Stopped != "" {
			lines = append(lines, fmt.Sprintf("%s%s is %s", a.Name, on(address.Cluster), address.Stopped))
		}
	}
	for _, r := range a.Releases {
		if release.StaysStopped(r.Reason) && !release.StoppedWithMain(r.Reason) {
			lines = append(lines, fmt.Sprintf("%s%s is %s: %s", r.Name, on(r.Cluster), r.Status, r.Reason))
		}
	}
	return lines
}
