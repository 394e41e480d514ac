package cluster_test

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestAConnectionThatOthersResolved: as kubectl's flags and files lead to one.
func TestAConnectionThatOthersResolved(t *testing.T) {
	t.Parallel()
	shared := testcluster.Shared(t)
	namespace := shared.Namespace(t)
	config := rest.CopyConfig(shared.REST)
	config.Timeout = 1 // a nanosecond: kubectl's flag for requests is no limit of ours
	c, err := cluster.NewResolved(cluster.Config{Name: "prod", UserAgent: "kubectl-switchback/test"}, config, "kubeconfig ~/.kube/config")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.Get(t.Context(), "", namespace, &corev1.Namespace{}); err != nil {
		t.Error(err)
	}
	if c.Name() != "prod" || c.Source() != "kubeconfig ~/.kube/config" {
		t.Errorf("it is %s of %s", c.Name(), c.Source())
	}

	for _, tc := range []struct {
		config  rest.Config
		summary string
	}{
		{rest.Config{Host: "http://one.example", BearerToken: "abc"}, "Unencrypted host"},
		{rest.Config{Host: "https://one.example", BearerToken: "a b"}, "Value cannot be sent"},
		{rest.Config{Host: "https://one.example", AuthProvider: &clientcmdapi.AuthProviderConfig{Name: "gcp"}}, "Unsupported credential"},
		{rest.Config{Host: "https://one.example", TLSClientConfig: rest.TLSClientConfig{CAData: []byte("none")}}, "Invalid certificate"},
		{rest.Config{Host: "https://one.example", ExecProvider: &clientcmdapi.ExecConfig{APIVersion: "client.authentication.k8s.io/v1", Command: "/no/such/plugin"}}, "Missing exec plugin"},
	} {
		_, err := cluster.NewResolved(cluster.Config{Name: "prod"}, &tc.config, "the flags")
		var fault *cluster.ConfigError
		if !errors.As(err, &fault) || fault.Summary != tc.summary {
			t.Errorf("want %q, got %v", tc.summary, err)
		}
	}
}
