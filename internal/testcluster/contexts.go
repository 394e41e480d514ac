package testcluster

import (
	"path/filepath"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Contexts writes one kubeconfig of several, as people have it: a context for each of
// them, by its name there, in one namespace. None of them is the current one.
func Contexts(t testing.TB, namespace string, kubeconfigs map[string]string) string {
	t.Helper()
	all := clientcmdapi.NewConfig()
	for name, path := range kubeconfigs {
		one, err := clientcmd.LoadFromFile(path)
		if err == nil {
			err = clientcmdapi.FlattenConfig(one)
		}
		if err != nil {
			t.Fatalf("read %s: %v", path, err)
		}
		context := one.Contexts[one.CurrentContext]
		all.Clusters[name], all.AuthInfos[name] = one.Clusters[context.Cluster], one.AuthInfos[context.AuthInfo]
		all.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name, Namespace: namespace}
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*all, path); err != nil {
		t.Fatalf("write a kubeconfig: %v", err)
	}
	return path
}
