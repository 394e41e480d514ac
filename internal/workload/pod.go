package workload

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// What is said of the pods as a whole, and the way back from it.

// spread keeps the pods of a release apart: by default over the nodes, where that is
// possible.
func spread(list *[]release.TopologySpread, name string) []corev1.TopologySpreadConstraint {
	if list == nil {
		list = &[]release.TopologySpread{{TopologyKey: corev1.LabelHostname}}
	}
	var constraints []corev1.TopologySpreadConstraint
	for _, t := range *list {
		c := corev1.TopologySpreadConstraint{
			MaxSkew: max(1, t.MaxSkew), TopologyKey: t.TopologyKey, WhenUnsatisfiable: corev1.ScheduleAnyway, MinDomains: t.MinDomains,
			LabelSelector: &metav1.LabelSelector{MatchLabels: release.Selector(name)},
		}
		if t.WhenUnsatisfiable != "" {
			c.WhenUnsatisfiable = corev1.UnsatisfiableConstraintAction(t.WhenUnsatisfiable)
		}
		constraints = append(constraints, c)
	}
	return constraints
}

func fromSpread(constraints []corev1.TopologySpreadConstraint) *[]release.TopologySpread {
	list := []release.TopologySpread{}
	for _, c := range constraints {
		list = append(list, release.TopologySpread{
			TopologyKey: c.TopologyKey, MaxSkew: c.MaxSkew, WhenUnsatisfiable: string(c.WhenUnsatisfiable), MinDomains: c.MinDomains,
		})
	}
	if len(list) == 1 && list[0] == (release.TopologySpread{TopologyKey: corev1.LabelHostname, MaxSkew: 1, WhenUnsatisfiable: string(corev1.ScheduleAnyway)}) {
		return nil // our own
	}
	return &list
}

func hostAliases(aliases map[string][]string) []corev1.HostAlias {
	var list []corev1.HostAlias
	for _, address := range slices.Sorted(maps.Keys(aliases)) {
		list = append(list, corev1.HostAlias{IP: address, Hostnames: aliases[address]})
	}
	return list
}

func fromHostAliases(list []corev1.HostAlias) map[string][]string {
	aliases := map[string][]string{}
	for _, a := range list {
		aliases[a.IP] = append(aliases[a.IP], a.Hostnames...)
	}
	return aliases
}

func dnsPolicy(d *release.PodDNS) corev1.DNSPolicy {
	if d == nil {
		return ""
	}
	return corev1.DNSPolicy(d.Policy)
}

func dnsConfig(d *release.PodDNS) *corev1.PodDNSConfig {
	if d == nil || len(d.Nameservers)+len(d.Searches)+len(d.Options) == 0 {
		return nil
	}
	config := &corev1.PodDNSConfig{Nameservers: d.Nameservers, Searches: d.Searches}
	for _, name := range slices.Sorted(maps.Keys(d.Options)) {
		config.Options = append(config.Options, corev1.PodDNSConfigOption{Name: name, Value: nonEmpty(d.Options[name])})
	}
	return config
}

func fromDNS(policy corev1.DNSPolicy, config *corev1.PodDNSConfig) *release.PodDNS {
	d := &release.PodDNS{Policy: string(policy)}
	if config != nil {
		d.Nameservers, d.Searches = config.Nameservers, config.Searches
		for _, option := range config.Options {
			if d.Options == nil {
				d.Options = map[string]string{}
			}
			d.Options[option.Name] = deref(option.Value)
		}
	}
	return d
}

func nonEmpty(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
