package externaldns

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is where external-dns serves its kinds.
var GroupVersion = schema.GroupVersion{Group: "externaldns.k8s.io", Version: "v1alpha1"}

// The kind's names.
const (
	Kind   = "DNSEndpoint"
	Plural = "dnsendpoints"
	CRD    = Plural + ".externaldns.k8s.io" // what must be installed for it
)

// AddToScheme makes a scheme know the kind.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion, &DNSEndpoint{}, &DNSEndpointList{})
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}

// DNSEndpoint asks external-dns for records.
type DNSEndpoint struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec DNSEndpointSpec `json:"spec,omitempty"`
	// Its status is external-dns' own.
}

// DNSEndpointSpec is the records that are wanted.
type DNSEndpointSpec struct {
	Endpoints []Endpoint `json:"endpoints,omitempty"`
}

// Endpoint is one record.
type Endpoint struct {
	DNSName    string   `json:"dnsName,omitempty"`
	RecordType string   `json:"recordType,omitempty"`
	Targets    []string `json:"targets,omitempty"`
	RecordTTL  int64    `json:"recordTTL,omitempty"` // seconds

	// SetIdentifier tells records of one name and type apart.
	SetIdentifier string `json:"setIdentifier,omitempty"`
	// ProviderSpecific is for the backend that external-dns writes to.
	ProviderSpecific []Property        `json:"providerSpecific,omitempty"`
	Labels           map[string]string `json:"labels,omitempty"`
}

// Property is one provider-specific setting of a record.
type Property struct {
	Name  string `json:"name,omitempty"`
	Value string `json:"value,omitempty"`
}

// Properties that external-dns' provider for Route 53 knows.
const (
	AWSWeight        = "aws/weight"
	AWSRegion        = "aws/region"
	AWSFailover      = "aws/failover"
	AWSHealthCheckID = "aws/health-check-id"
)

// DNSEndpointList is a list of them.
type DNSEndpointList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []DNSEndpoint `json:"items"`
}

// DeepCopy copies an endpoint with everything in it.
func (e *DNSEndpoint) DeepCopy() *DNSEndpoint {
	out := &DNSEndpoint{TypeMeta: e.TypeMeta}
	e.ObjectMeta.DeepCopyInto(&out.ObjectMeta)
	out.Spec.Endpoints = slices.Clone(e.Spec.Endpoints)
	for i := range out.Spec.Endpoints {
		one := &out.Spec.Endpoints[i]
		one.Targets, one.ProviderSpecific = slices.Clone(one.Targets), slices.Clone(one.ProviderSpecific)
		one.Labels = maps.Clone(one.Labels)
	}
	return out
}

// DeepCopyObject implements runtime.Object.
func (e *DNSEndpoint) DeepCopyObject() runtime.Object { return e.DeepCopy() }

// DeepCopyObject implements runtime.Object.
func (l *DNSEndpointList) DeepCopyObject() runtime.Object {
	out := &DNSEndpointList{TypeMeta: l.TypeMeta}
	l.ListMeta.DeepCopyInto(&out.ListMeta)
	for i := range l.Items {
		out.Items = append(out.Items, *l.Items[i].DeepCopy())
	}
	return out
}
