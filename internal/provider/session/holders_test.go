package session

import "testing"

func TestOneDeploymentHasOneHolder(t *testing.T) {
	t.Parallel()
	const owner, another = "t1", "t2"
	on := func(clusters ...string) []string { return clusters }
	new1 := Holder{Deployment: "shop/api-1", Clusters: on("east"), Makes: true}
	has1 := Holder{Deployment: "shop/api-1", Clusters: on("east"), Owner: owner}
	to1 := Holder{Deployment: "shop/api-1", Clusters: on("east"), Owner: another, Makes: true}
	to2 := Holder{Deployment: "shop/api-2", Clusters: on("east"), Owner: owner, Makes: true}
	also1 := Holder{Deployment: "shop/api-1", Clusters: on("east"), Owner: another}
	there1 := Holder{Deployment: "shop/api-1", Clusters: on("west"), Makes: true}
	both1 := Holder{Deployment: "shop/api-1", Clusters: on("west", "east"), Makes: true}
	for name, c := range map[string]struct {
		planned []Holder
		want    Twin // of the last one
	}{
		"two new ones":                       {[]Holder{new1, new1}, NewTwin},
		"a new one beside one that stays":    {[]Holder{has1, new1}, NewTwin},
		"one that stays beside a new one":    {[]Holder{new1, has1}, NewTwin},
		"one that comes to one that stays":   {[]Holder{has1, to1}, NewTwin},
		"both have had it":                   {[]Holder{has1, also1}, HeldTwin},
		"both have had it, and there is one": {[]Holder{has1, also1, new1}, NewTwin},
		"the same one, planned again":        {[]Holder{has1, has1}, NoTwin},
		"one that leaves, and a new one":     {[]Holder{to2, new1}, NoTwin},
		"one that leaves after all":          {[]Holder{has1, to2, new1}, NoTwin},
		"two that change places":             {[]Holder{to2, to1}, NoTwin},
		"on other clusters":                  {[]Holder{new1, there1}, NoTwin},
		"on one cluster of two":              {[]Holder{new1, both1}, NewTwin},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, often := Holders{OneWalk: true}, Holders{}
			var got Twin
			for _, one := range c.planned {
				got = h.Hold(one)
				if twin := often.Hold(one); twin != NoTwin {
					t.Errorf("what may be planned again by another walk is %q", twin)
				}
			}
			if got != c.want {
				t.Errorf("it is %q, want %q", got, c.want)
			}
		})
	}
}
