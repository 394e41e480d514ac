package release

import (
	"errors"
	"strings"
	"testing"
)

func TestGoBack(t *testing.T) {
	on := func(cluster, traffic, main string, previous ...string) MainOn {
		return MainOn{Cluster: cluster, Traffic: traffic, Main: Main{Deployment: main, Previous: previous}}
	}
	cut := func(cluster, traffic string) MainOn { // a run to v2, which was main before
		s := on(cluster, traffic, "v3", "v2", "v1")
		s.Main.Progress = &Progress{From: "v3", To: "v2"}
		return s
	}
	for name, test := range map[string]struct {
		clusters []MainOn
		want     string
		cluster  string // that is refused
		says     string
	}{
		"one":                    {clusters: []MainOn{on("a", "v3", "v3", "v2", "v1")}, want: "v2"},
		"both agree":             {clusters: []MainOn{on("a", "v3", "v3", "v2"), on("b", "v3", "v3", "v2", "v1")}, want: "v2"},
		"other history":          {clusters: []MainOn{on("a", "v3", "v3", "v2"), on("b", "v3", "v3", "v1")}, cluster: "b", says: "v1 was main before on it, but v2"},
		"nothing before":         {clusters: []MainOn{on("a", "v1", "v1")}, cluster: "a", says: "no deployment was main before v1"},
		"moved by hand":          {clusters: []MainOn{on("a", "v9", "v3", "v2")}, cluster: "a", says: "from v3 to v9"},
		"leads nowhere":          {clusters: []MainOn{on("a", "", "v3", "v2")}, cluster: "a", says: "does not go there"},
		"one of them is new":     {clusters: []MainOn{on("a", "v3", "v3", "v2"), on("b", "v3", "v3")}, cluster: "b", says: "no deployment was main before"},
		"cut off when it moved":  {clusters: []MainOn{cut("a", "v2")}, want: "v2"},
		"on one of two":          {clusters: []MainOn{cut("a", "v2"), cut("b", "v3")}, want: "v2"},
		"and one never began":    {clusters: []MainOn{on("a", "v3", "v3", "v2"), cut("b", "v2")}, want: "v2"},
		"and by hand elsewhere":  {clusters: []MainOn{cut("a", "v9")}, cluster: "a", says: "from v3 to v9"},
		"left half way: to here": {clusters: []MainOn{on("a", "v3", "v3", "v2"), on("b", "v2", "v2", "v1")}, cluster: "b", says: "but v2 on another"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := GoBack("shop/api", test.clusters)
			if got != test.want {
				t.Errorf("goes back to %q, want %q", got, test.want)
			}
			var refused *GoBackError
			switch {
			case test.says == "" && err != nil:
				t.Error(err)
			case test.says != "" && (!errors.As(err, &refused) || refused.Cluster != test.cluster || !strings.Contains(err.Error(), test.says)):
				t.Errorf("error %v, want one about cluster %q that says %q", err, test.cluster, test.says)
			}
		})
	}
}

// TestUndo: the first release behind an adopted rule is taken back on all clusters, or on none.
func TestUndo(t *testing.T) {
	on := func(cluster, from, theirs string, before *Main) MainOn {
		return MainOn{Cluster: cluster, Main: Main{Progress: &Progress{From: from, Theirs: theirs, To: "v1", Before: before}}}
	}
	first, stands := on("a", "", "old", &Main{}), MainOn{Cluster: "b", Main: Main{Deployment: "v1"}}
	for name, test := range map[string]struct {
		clusters   []MainOn
		to, theirs string
		cluster    string // that is refused
	}{
		"the first":             {clusters: []MainOn{first}, to: "v1", theirs: "old"},
		"on both":               {clusters: []MainOn{first, on("b", "", "old", &Main{})}, to: "v1", theirs: "old"},
		"not the first":         {clusters: []MainOn{on("a", "v0", "", &Main{})}},
		"nothing is open":       {clusters: []MainOn{stands}},
		"no way back is known":  {clusters: []MainOn{on("a", "", "old", nil)}},
		"committed on one":      {clusters: []MainOn{first, stands}, cluster: "b"},
		"the first on the last": {clusters: []MainOn{stands, first}, cluster: "b"},
	} {
		t.Run(name, func(t *testing.T) {
			to, theirs, err := Undo("shop/api", test.clusters)
			if to != test.to || theirs != test.theirs {
				t.Errorf("it takes %q back to %q, want %q to %q", to, theirs, test.to, test.theirs)
			}
			var refused *GoBackError
			if errors.As(err, &refused) != (test.cluster != "") || refused != nil && refused.Cluster != test.cluster {
				t.Errorf("it says %v, want an error about %q", err, test.cluster)
			}
		})
	}
	asked := &AskedBackError{Cluster: "a", Theirs: "old"}
	if said := asked.Error(); !strings.HasSuffix(said, "to old") {
		t.Errorf("it says %q", said)
	}
}
