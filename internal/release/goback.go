package release

import "fmt"

// MainOn is where an application's traffic is on one cluster.
type MainOn struct {
	Cluster string
	Main    Main
	Traffic string // the release that gets all of it; empty: none does
	Shared  string // the release that is being tried, and shares it with main; empty: none is
}

// Undoable says that a promotion to a release is open, and has what an adopted rule led to
// before to go back to, and no release.
func (p *Progress) Undoable(to string) bool {
	return p != nil && p.To == to && p.From == "" && p.Theirs != "" && p.Before != nil
}

// Undo decides whether going back, when nobody says to which release, takes back the first
// one behind an adopted rule: to is that one, and theirs what has its traffic again. Both are
// empty where there is another way back, or none.
func Undo(id string, clusters []MainOn) (to, theirs string, err error) {
	for _, s := range clusters {
		if p := s.Main.Progress; p != nil && p.Undoable(p.To) {
			to, theirs = p.To, p.Theirs
			break
		}
	}
	for _, s := range clusters {
		if p := s.Main.Progress; to != "" && !p.Undoable(to) {
			return "", "", &GoBackError{Cluster: s.Cluster, ID: id, Reason: fmt.Sprintf("on another cluster, %s is the first deployment behind an adopted rule, and not on this one. Name in `clusters` those to go back on together", to)}
		}
	}
	return to, theirs, nil
}

// hasMovedBack says that a run was on its way to the release that was main before, and was
// cut off when that had all of the traffic.
func (m *Main) hasMovedBack(traffic string) bool {
	p := m.Progress
	return p != nil && p.From == m.Deployment && p.To == traffic && len(m.Previous) > 0 && m.Previous[0] == traffic
}

// GoBack decides which release main goes back to when nobody says: the one that
// was main before, on every cluster the same. It refuses to guess.
func GoBack(id string, clusters []MainOn) (string, error) {
	to := ""
	for _, s := range clusters {
		refuse := func(format string, a ...any) error {
			return &GoBackError{Cluster: s.Cluster, ID: id, Reason: fmt.Sprintf(format, a...)}
		}
		switch {
		case s.Shared != "" && to != "" && s.Main.Deployment != to:
			return "", refuse("%s had the traffic before on it, but %s on another cluster", s.Main.Deployment, to)
		case s.Shared != "":
			to = s.Main.Deployment
			continue
		case s.Main.hasMovedBack(s.Traffic) && (to == "" || to == s.Traffic):
			to = s.Traffic
			continue
		case s.Traffic != s.Main.Deployment && s.Traffic == "":
			return "", refuse("its main deployment is %s, but the traffic does not go there", s.Main.Deployment)
		case s.Traffic != s.Main.Deployment:
			return "", refuse("somebody has moved its traffic from %s to %s", s.Main.Deployment, s.Traffic)
		case len(s.Main.Previous) == 0:
			return "", refuse("no deployment was main before %s", s.Main.Deployment)
		case s.Main.Breach != nil && s.Main.Breach.To == s.Main.Previous[0] && s.Main.Breach.By != "":
			return "", refuse("%s was main before, but %s", s.Main.Previous[0], s.Main.Breach.Reason)
		case s.Main.Breach != nil && s.Main.Breach.To == s.Main.Previous[0]:
			return "", refuse("%s was main before, but it did not pass its bake: %s", s.Main.Previous[0], s.Main.Breach.Reason)
		case to != "" && s.Main.Previous[0] != to:
			return "", refuse("%s was main before on it, but %s on another cluster", s.Main.Previous[0], to)
		}
		to = s.Main.Previous[0]
	}
	return to, nil
}
