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
