package release

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Adoption is what must be remembered of a Service that somebody else made, and
// whose selector was handed to us. Nothing of it stands on the Service itself:
// that is not ours.
type Adoption struct {
	UID types.UID `json:"uid"`
	// Selector is what the Service selected before; empty: not known.
	Selector map[string]string `json:"selector,omitempty"`
}

// Seen is what to remember of a Service as it stands before we write: a itself
// where it is the one that we know. Of one that was made again, or of which we
// know nothing, what it selects now counts, less our own labels.
func (a *Adoption) Seen(svc *corev1.Service) *Adoption {
	if a != nil && a.UID == svc.UID {
		return a
	}
	theirs := maps.Clone(svc.Spec.Selector)
	if theirs[LabelDeployment] != "" {
		delete(theirs, LabelDeployment)
		delete(theirs, LabelRole)
	}
	if len(theirs) == 0 && a != nil {
		theirs = a.Selector
	}
	return &Adoption{UID: svc.UID, Selector: theirs}
}

// AdoptionError says why a Service of somebody else's cannot be the address of
// an application.
type AdoptionError struct {
	Cluster, Namespace, Service string
	Other                       string // application whose address it is; empty: no other one's
	Reason                      string // ends with what to do
}

func (e *AdoptionError) Error() string {
	return fmt.Sprintf("the Service %s/%s on cluster %q cannot be adopted: %s", e.Namespace, e.Service, e.Cluster, e.Reason)
}

// Adoptable returns an *AdoptionError where the selector of the Service cannot
// be ours to move, for the application.
func Adoptable(cluster string, svc *corev1.Service, application string) error {
	var reason, other string
	owner := svc.Labels[LabelApplication]
	selected, _ := ApplicationOf(svc.Spec.Selector[LabelDeployment])
	switch {
	case svc.Labels[LabelManagedBy] == ManagedBy && owner == application:
		reason = "it is the application's own address, which Switchback made. Leave `adopt` out"
	case svc.Labels[LabelManagedBy] == ManagedBy:
		reason, other = fmt.Sprintf("it belongs to the application %q, for which Switchback made it. Choose another Service", owner), owner
	case selected != "" && selected != application:
		return AdoptedElsewhere(cluster, svc, selected)
	case svc.Spec.Type == corev1.ServiceTypeExternalName:
		reason = "an ExternalName Service is a DNS alias without pods: there is nothing to switch. Choose another Service"
	case svc.Spec.ClusterIP == corev1.ClusterIPNone:
		reason = "it is headless: its clients resolve pods' addresses themselves and cache them, so nobody can say when they have moved. Choose another Service"
	default:
		return nil
	}
	return &AdoptionError{Cluster: cluster, Namespace: svc.Namespace, Service: svc.Name, Other: other, Reason: reason}
}

// AdoptedElsewhere is the error for a Service that is the address of another
// application already.
func AdoptedElsewhere(cluster string, svc *corev1.Service, application string) error {
	return &AdoptionError{Cluster: cluster, Namespace: svc.Namespace, Service: svc.Name, Other: application, Reason: fmt.Sprintf(
		"the application %q has adopted it already. One Service is the address of one application: choose another Service, or destroy that application's switchback_main_deployment first", application)}
}

// LastApplied is where kubectl apply keeps what it applied last.
const LastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// SelectorWriter is who will write the selector of an adopted Service again,
// without asking, when it next applies the Service: a client that merges. Empty
// where none is known; server-side apply asks.
func SelectorWriter(svc *corev1.Service) string {
	asks := func(manager string) bool {
		return slices.ContainsFunc(svc.ManagedFields, func(f metav1.ManagedFieldsEntry) bool {
			return f.Manager == manager && f.Operation == metav1.ManagedFieldsOperationApply
		})
	}
	release := svc.Annotations["meta.helm.sh/release-name"]
	switch {
	case release != "" && !asks("helm"):
		return fmt.Sprintf("the Helm release %q", release)
	case svc.Annotations[LastApplied] != "" && !asks("kubectl"):
		return "kubectl apply"
	}
	return ""
}
