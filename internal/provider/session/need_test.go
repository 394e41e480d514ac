package session

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

func TestNeed(t *testing.T) {
	const (
		adopt, autoscale, deploy, diagnose, disrupt = cluster.FeatureAdopt, cluster.FeatureAutoscale, cluster.FeatureDeploy, cluster.FeatureDiagnose, cluster.FeatureDisrupt
		dns, lock, promote, refresh, tell, end      = cluster.FeatureDNS, cluster.FeatureLock, cluster.FeaturePromote, cluster.FeatureRefresh, cluster.FeatureTell, cluster.FeatureTerminate
	)
	type features = []cluster.Feature
	id := release.ID{Namespace: "shop", Name: "api-1"}
	spec := release.Spec{Namespace: "shop", Content: release.Content{Application: "api"}, Replicas: 1}
	two := spec
	two.Replicas = 2
	record := func(c release.Companion) *release.Record {
		return &release.Record{Companions: []release.Companion{c}, Baseline: release.Baseline{string(c): {"x": "00"}}}
	}
	nothing := release.HoldingsOf(nil, nil)
	scaled := release.HoldingsOf(nil, map[string]*release.Record{"api-0": record(release.CompanionAutoscaler)})
	named := release.HoldingsOf(&release.Main{Deployment: "api-1", Adopted: &release.Adoption{}, DNS: &release.DNSWritten{Object: true}},
		map[string]*release.Record{"api-0": record(release.CompanionAutoscaler)})
	for what, test := range map[string]struct {
		need           Need
		has            release.Holdings
		needed, beside features
	}{
		"the first deployment":               {ToDeploy(spec), nothing, features{deploy, diagnose, lock, promote, refresh, tell, end}, nil},
		"with two pods":                      {ToDeploy(two), nothing, features{deploy, diagnose, disrupt, lock, promote, refresh, tell, end}, nil},
		"from two pods to one":               {ToDeploy(two, spec), nothing, features{deploy, diagnose, disrupt, lock, promote, refresh, tell, end}, nil},
		"beside one that is scaled":          {ToDeploy(spec), scaled, features{autoscale, deploy, diagnose, lock, promote, refresh, tell, end}, nil},
		"beside an adopted address, named":   {ToDeploy(spec), named, features{adopt, autoscale, deploy, diagnose, lock, promote, refresh, tell, end}, features{dns}},
		"the end of one":                     {ToTerminate(id, spec), scaled, features{deploy, lock, refresh, tell, end}, nil},
		"the end of one of two pods":         {ToTerminate(id, two), nothing, features{deploy, disrupt, lock, refresh, tell, end}, nil},
		"the end of what its record has":     {ToTerminate(release.ID{Namespace: "shop", Name: "api-0"}, spec), scaled, features{autoscale, deploy, lock, refresh, tell, end}, nil},
		"the end of the main one":            {ToTerminate(id, spec), named, features{adopt, autoscale, deploy, lock, promote, refresh, tell, end}, features{dns}},
		"the end of one that is replaced":    {ToTerminate(id, spec).Before(nil), nothing, features{deploy, lock, promote, refresh, tell, end}, nil},
		"… by one with two pods":             {ToTerminate(id, spec).Before(two.Companions()), nothing, features{deploy, disrupt, lock, promote, refresh, tell, end}, nil},
		"an action":                          {ToAct(id), named, features{deploy, diagnose, lock, refresh, tell}, nil},
		"an action on what its record has":   {ToAct(release.ID{Namespace: "shop", Name: "api-0"}), scaled, features{autoscale, deploy, diagnose, lock, refresh, tell}, nil},
		"a promotion":                        {ToPromote(traffic.ServiceSpec{}, false), nothing, features{deploy, lock, promote, refresh, tell, end}, nil},
		"a promotion where one is scaled":    {ToPromote(traffic.ServiceSpec{}, false), scaled, features{autoscale, deploy, lock, promote, refresh, tell, end}, nil},
		"an adoption":                        {ToPromote(traffic.ServiceSpec{Adopt: true}, false), nothing, features{adopt, deploy, lock, promote, refresh, tell, end}, nil},
		"the end of an address":              {ToWithdraw(traffic.ServiceSpec{}, false), named, features{autoscale, deploy, dns, lock, promote, refresh, tell, end}, nil},
		"the end of an address with no name": {ToWithdraw(traffic.ServiceSpec{}, false), nothing, features{deploy, lock, promote, refresh, tell, end}, nil},
	} {
		t.Run(what, func(t *testing.T) {
			needed, beside := test.need.with(test.has)
			slices.Sort(test.needed)
			if d := cmp.Diff(test.needed, needed); d != "" {
				t.Errorf("needed: %s", d)
			}
			if d := cmp.Diff(test.beside, beside); d != "" {
				t.Errorf("beside: %s", d)
			}
		})
	}
}

func TestWhyItIsNeeded(t *testing.T) {
	spec := release.Spec{Namespace: "shop", Content: release.Content{Application: "api"}, Replicas: 1}
	has := release.HoldingsOf(nil, map[string]*release.Record{"api-0": {
		Companions: release.Companions(), Baseline: release.Baseline{string(release.CompanionAutoscaler): {"x": "00"}},
	}})
	for what, test := range map[string]struct {
		gap  cluster.Feature
		want string
	}{
		"its own":     {cluster.FeatureDeploy, ""},
		"later":       {cluster.FeatureTerminate, "What comes after this step (terminate) is asked for now"},
		"another one": {cluster.FeatureAutoscale, "The deployment shop/api-0 has a HorizontalPodAutoscaler"},
	} {
		got := ToDeploy(spec).why([]cluster.Gap{{Feature: test.gap}}, has)
		if !strings.HasPrefix(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%s: %q", what, got)
		}
	}
}
