package provider_test

import (
	"fmt"
	"testing"
)

// TestAccNoCredential: with a host alone, the API server refuses nobody in particular.
func TestAccNoCredential(t *testing.T) {
	a := newAccess(t)
	a.provider = block(`provider "switchback"`, []string{fmt.Sprintf("host = %q", a.host), fmt.Sprintf("cluster_ca_certificate = %q", a.authority)})
	w := a.lab.inProcess()
	r := w.applyFails(a.config(a.deployment(), a.main()))
	r.tells("No credential in this connection", "there is no credential in this connection (attribute host)", "`token`", "KUBE_TOKEN", "KUBE_CONFIG_PATH")
	r = w.applyFails(a.config(a.data("deployments", "all")))
	r.tells("No credential in this connection")
}
