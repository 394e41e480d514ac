package release_test

import (
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestPodsMeanTheSame: defaults that are written out, and what says nothing, name no
// other release.
func TestPodsMeanTheSame(t *testing.T) {
	t.Parallel()
	get := func(scheme string) *release.Handler {
		return &release.Handler{HTTPGet: &release.HTTPGet{Port: "http", Scheme: scheme}}
	}
	plain := release.Content{
		Application: "api", Version: "v1", Image: "api:v1", Container: release.Container{PreStop: get("")},
		TopologySpread: &[]release.TopologySpread{{TopologyKey: "zone"}},
	}
	spelled := plain
	spelled.Container = release.Container{PreStop: get("HTTP"), EnvFromField: map[string]string{}, PortProtocols: map[string]string{"http": "TCP"}}
	spelled.HostAliases = map[string][]string{}
	spelled.DNS = &release.PodDNS{Policy: "ClusterFirst", Options: map[string]string{}}
	spelled.TopologySpread = &[]release.TopologySpread{{TopologyKey: "zone", MaxSkew: 1, WhenUnsatisfiable: "ScheduleAnyway"}}
	if plain.Normalize().Hash() != spelled.Normalize().Hash() {
		t.Error("defaults that are written out make another release")
	}
	for what, change := range map[string]func(*release.Content){
		"no spread": func(c *release.Content) { c.TopologySpread = &[]release.TopologySpread{} },
		"domains": func(c *release.Content) {
			c.TopologySpread = &[]release.TopologySpread{{TopologyKey: "zone", MinDomains: new(int32(2))}}
		},
		"a resolver": func(c *release.Content) { c.DNS = &release.PodDNS{Nameservers: []string{"1.1.1.1"}} },
		"a host":     func(c *release.Content) { c.HostAliases = map[string][]string{"10.0.0.5": {"db"}} },
		"a sleep":    func(c *release.Content) { c.Container.PreStop = &release.Handler{SleepSeconds: new(int64)} },
		"a protocol": func(c *release.Content) { c.Container.PortProtocols = map[string]string{"http": "UDP"} },
		"a file":     func(c *release.Content) { c.Container.Files = map[string]string{"/etc/app": "a"} },
		"a program":  func(c *release.Content) { c.Container.PostStart = &release.Handler{Exec: []string{"/warm"}} },
	} {
		other := plain
		change(&other)
		if other.Normalize().Hash() == plain.Normalize().Hash() {
			t.Errorf("%s makes no other release", what)
		}
	}
}
