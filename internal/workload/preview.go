package workload

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Preview renders the route of a release's own address, or nil where it has none. It
// leads to the release's own Service, and to nothing else.
func Preview(spec release.Spec) *gatewayv1.HTTPRoute {
	if spec.Preview == nil {
		return nil
	}
	c := spec.Content.Normalize()
	_, port, ok := spec.Preview.PortOf(c.Container)
	if !ok {
		return nil
	}
	id := release.ID{Namespace: spec.Namespace, Name: spec.NameFor(c.Hash())}
	labels := Labels(spec)
	labels[release.LabelRole] = release.RolePreview
	backend := gatewayv1.BackendObjectReference{Name: gatewayv1.ObjectName(id.Name), Port: &port}
	return &gatewayv1.HTTPRoute{
		TypeMeta:   metav1.TypeMeta{APIVersion: gatewayv1.GroupVersion.String(), Kind: string(release.CompanionPreview)},
		ObjectMeta: metav1.ObjectMeta{Namespace: id.Namespace, Name: id.Name, Labels: labels},
		Spec: gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: slices.Clone(spec.Preview.Parents)},
			Hostnames:       []gatewayv1.Hostname{gatewayv1.Hostname(spec.Preview.Host(id, c.Application))},
			Rules:           []gatewayv1.HTTPRouteRule{{BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{BackendObjectReference: backend}}}}},
		},
	}
}

// IsPreview says that a route is the own address of the release with this name.
func IsPreview(route Object, name string) bool {
	labels := route.GetLabels()
	return route.GetName() == name && labels[release.LabelManagedBy] == release.ManagedBy &&
		labels[release.LabelRole] == release.RolePreview && labels[release.LabelDeployment] == name
}

// placeholders are what of a host name is replaced.
var placeholders = regexp.MustCompile(`\{[^}]*\}?`)

// maxDNSLabel is how long what stands between two dots of a host name may be.
const maxDNSLabel = 63

func checkPreview(r *report, at path, spec release.Spec) {
	p := spec.Preview
	if p == nil {
		return
	}
	c := spec.Content.Normalize()
	checkPreviewPort(r, at, p, c.Container)
	hostname, known := at.to("hostname"), []string{release.PlaceholderName, release.PlaceholderApplication, release.PlaceholderNamespace}
	for _, found := range placeholders.FindAllString(p.Hostname, -1) {
		if !slices.Contains(known, found) {
			r.add(hostname, "Unknown placeholder", "%q has %s, which stands for nothing. There are %s.", p.Hostname, found, strings.Join(known, ", "))
			return
		}
	}
	if !strings.Contains(p.Hostname, release.PlaceholderName) {
		r.add(hostname, "Previews would have the same address",
			"%q is the same for every version, and a new one stands beside the former one for a while: clients would reach either. Put %s into it, such as %q.",
			p.Hostname, release.PlaceholderName, release.PlaceholderName+".preview.example.com")
		return
	}
	host := p.Host(release.ID{Namespace: spec.Namespace, Name: spec.NameFor(c.Hash())}, c.Application)
	if bad := validation.IsDNS1123Subdomain(host); len(bad) > 0 {
		r.add(hostname, "Invalid host name", "%q comes to %q, which is no host name: %s.", p.Hostname, host, reasons(bad))
		return
	}
	for label := range strings.SplitSeq(host, ".") {
		if len(label) > maxDNSLabel {
			r.add(hostname, "Invalid host name", "%q comes to %q, and DNS allows %d characters between two dots, not %d. Give %s a label of its own, such as %q.",
				p.Hostname, host, maxDNSLabel, len(label), release.PlaceholderName, release.PlaceholderName+".preview.example.com")
		}
	}
}

func checkPreviewPort(r *report, at path, p *release.Preview, c release.Container) {
	name, _, ok := p.PortOf(c)
	names := slices.Sorted(maps.Keys(c.Ports))
	switch {
	case ok:
	case len(names) == 0:
		r.add(at, "Preview without a port", "The deployment has no Service to lead to: it declares no port. Add container.ports, such as { http = 8080 }, or remove preview.")
	case p.Port != "":
		r.add(at.to("port"), "No such port", "%q is none of container.ports over TCP, which has %s.", name, strings.Join(names, ", "))
	default:
		r.add(at.to("port"), "Port of the preview is missing", "Say to which of container.ports the address leads: there are %s.", strings.Join(names, ", "))
	}
}
