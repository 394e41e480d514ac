package testcluster

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

// dnsEndpointCRD is external-dns' own: see testdata/README.md.
//
//go:embed testdata/dnsendpoints.externaldns.k8s.io.yaml
var dnsEndpointCRD []byte

const (
	dnsEndpoints = "dnsendpoints.externaldns.k8s.io"
	definitions  = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
)

// ExternalDNS teaches the cluster external-dns' kind, and returns when its API
// server serves it. It stays: on a shared cluster, for everybody.
func (c *Cluster) ExternalDNS(t testing.TB) {
	t.Helper()
	client, ctx := c.client.Discovery().RESTClient(), t.Context()
	err := client.Patch(types.ApplyYAMLPatchType).AbsPath(definitions, dnsEndpoints).
		Param("fieldManager", "tests").Body(dnsEndpointCRD).Do(ctx).Error()
	if err != nil {
		t.Fatalf("install the CustomResourceDefinition of external-dns: %v", err)
	}
	Eventually(t, Hang, "the API server to serve "+dnsEndpoints, func() error {
		return client.Get().AbsPath("/apis/externaldns.k8s.io/v1alpha1/dnsendpoints").Do(ctx).Error()
	})
}

// NoExternalDNS makes the cluster forget the kind, with every object of it. Only
// for clusters from [Start].
func (c *Cluster) NoExternalDNS(t testing.TB) {
	t.Helper()
	c.own(t)
	client, ctx := c.client.Discovery().RESTClient(), t.Context()
	if err := client.Delete().AbsPath(definitions, dnsEndpoints).Do(ctx).Error(); err != nil {
		t.Fatal(err)
	}
	Eventually(t, Hang, "the API server not to serve "+dnsEndpoints, func() error {
		var status int
		if client.Get().AbsPath("/apis/externaldns.k8s.io/v1alpha1/dnsendpoints").Do(ctx).StatusCode(&status); status != http.StatusNotFound {
			return fmt.Errorf("it answers %d", status)
		}
		return nil
	})
}

// DNSEndpoint reads such an object as JSON says it; nil where there is none.
func (c *Cluster) DNSEndpoint(t testing.TB, namespace, name string) map[string]any {
	t.Helper()
	result := c.client.Discovery().RESTClient().Get().AbsPath(dnsEndpointPath(namespace, name)).Do(t.Context())
	var status int
	if result.StatusCode(&status); status == http.StatusNotFound {
		return nil
	}
	raw, err := result.Raw()
	var object map[string]any
	if err == nil {
		err = json.Unmarshal(raw, &object)
	}
	if err != nil {
		t.Fatalf("read the DNSEndpoint %s/%s: %v", namespace, name, err)
	}
	return object
}

// DNSEndpoints are the names of all such objects in a namespace; none where the
// cluster does not know the kind.
func (c *Cluster) DNSEndpoints(t testing.TB, namespace string) []string {
	t.Helper()
	result := c.client.Discovery().RESTClient().Get().AbsPath(dnsEndpointPath(namespace, "")).Do(t.Context())
	var status int
	if result.StatusCode(&status); status == http.StatusNotFound {
		return nil
	}
	raw, err := result.Raw()
	var list struct {
		Items []struct {
			Metadata struct{ Name string }
		}
	}
	if err == nil {
		err = json.Unmarshal(raw, &list)
	}
	if err != nil {
		t.Fatalf("list the DNSEndpoints of %s: %v", namespace, err)
	}
	var names []string
	for _, item := range list.Items {
		names = append(names, item.Metadata.Name)
	}
	return names
}

// PatchDNSEndpoint is what somebody else does to such an object, or makes of the
// name: a server-side apply that takes what it wants.
func (c *Cluster) PatchDNSEndpoint(t testing.TB, namespace, name, manager, spec string) error {
	t.Helper()
	body := fmt.Sprintf(`{"apiVersion":"externaldns.k8s.io/v1alpha1","kind":"DNSEndpoint","metadata":{"name":%q},"spec":%s}`, name, spec)
	return c.client.Discovery().RESTClient().Patch(types.ApplyYAMLPatchType).AbsPath(dnsEndpointPath(namespace, name)).
		Param("fieldManager", manager).Param("force", "true").Body([]byte(body)).Do(t.Context()).Error()
}

// DeleteDNSEndpoint removes such an object.
func (c *Cluster) DeleteDNSEndpoint(t testing.TB, namespace, name string) {
	t.Helper()
	if err := c.client.Discovery().RESTClient().Delete().AbsPath(dnsEndpointPath(namespace, name)).Do(t.Context()).Error(); err != nil {
		t.Fatal(err)
	}
}

func dnsEndpointPath(namespace, name string) string {
	return path.Join("/apis/externaldns.k8s.io/v1alpha1/namespaces", namespace, "dnsendpoints", name)
}
