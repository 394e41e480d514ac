package release

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Preview is an address of a release's own, by which clients reach it through a Gateway,
// whichever release is main.
type Preview struct {
	Hostname string                      `json:"hostname"`         // with placeholders
	Scheme   PreviewScheme               `json:"scheme,omitempty"` // empty: PreviewHTTP
	Port     string                      `json:"port,omitempty"`   // named port of the pods; empty: see PortOf
	Parents  []gatewayv1.ParentReference `json:"parents,omitempty"`
}

// PreviewScheme is what clients speak to the Gateway.
type PreviewScheme string

// Schemes of a preview's URL.
const (
	PreviewHTTP  PreviewScheme = "http"
	PreviewHTTPS PreviewScheme = "https"
)

// PreviewSchemes lists every PreviewScheme.
func PreviewSchemes() []PreviewScheme { return []PreviewScheme{PreviewHTTP, PreviewHTTPS} }

// Placeholders of a preview's host name. PlaceholderName is in each of them, or two
// releases that stand side by side would have the same one.
const (
	PlaceholderName        = "{name}"
	PlaceholderApplication = "{application}"
	PlaceholderNamespace   = "{namespace}"
)

// Host is the host name of a release.
func (p *Preview) Host(id ID, application string) string {
	return strings.NewReplacer(PlaceholderName, id.Name, PlaceholderApplication, application, PlaceholderNamespace, id.Namespace).Replace(p.Hostname)
}

// URL is where clients find a release. Its port is that of the first parent, where that
// is given and is not the scheme's own.
func (p *Preview) URL(id ID, application string) string {
	scheme := cmp.Or(p.Scheme, PreviewHTTP)
	url := string(scheme) + "://" + p.Host(id, application)
	own := map[PreviewScheme]int32{PreviewHTTP: 80, PreviewHTTPS: 443}[scheme]
	if len(p.Parents) > 0 && p.Parents[0].Port != nil && *p.Parents[0].Port != own {
		url += fmt.Sprintf(":%d", *p.Parents[0].Port)
	}
	return url
}

// PortOf is the named port of a container to which the address leads: the one that is
// asked for, else "http", else the only one. ok is false where there is none.
func (p *Preview) PortOf(c Container) (name string, number int32, ok bool) {
	if name = p.Port; name == "" {
		name = "http"
		if _, there := c.Ports[name]; !there && len(c.Ports) == 1 {
			for name = range c.Ports { //nolint:revive // there is one
			}
		}
	}
	number, ok = c.Ports[name]
	return name, number, ok && !slices.Contains([]string{"UDP", "SCTP"}, c.Protocol(name))
}

// Previewed says that the release shall have an address of its own, and has a port that it
// can lead to.
func (s Spec) Previewed() bool {
	if s.Preview == nil {
		return false
	}
	_, _, ok := s.Preview.PortOf(s.Content.Container)
	return ok
}
