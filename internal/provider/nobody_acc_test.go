package provider_test

import (
	"fmt"
	"testing"
)

// TestAccNoCredential: with a host alone, the API server refuses nobody in particular. The
// plan tells.
func TestAccNoCredential(t *testing.T) {
	a := newAccess(t)
	a.provider = block(`provider "switchback"`, []string{fmt.Sprintf("host = %q", a.host), fmt.Sprintf("cluster_ca_certificate = %q", a.authority)})
	w := a.lab.inProcess()
	w.write(a.config(a.deployment(), a.main()))
	r := w.run("plan", "-json", "-input=false", "-no-color")
	r.tells("No credential in this connection", "there is no credential in this connection (attribute host)", "`token`", "KUBE_TOKEN", "KUBE_CONFIG_PATH")
	r = w.applyFails(a.config(a.data("deployments", "all")))
	r.tells("No credential in this connection")
}

// TestAccRefusedCredentialOfTheEnvironment: the error names the variable that it came from.
func TestAccRefusedCredentialOfTheEnvironment(t *testing.T) {
	a := newAccess(t)
	t.Setenv("KUBE_TOKEN", "nonsense")
	a.provider = block(`provider "switchback"`, []string{fmt.Sprintf("host = %q", a.host), fmt.Sprintf("cluster_ca_certificate = %q", a.authority)})
	w := a.lab.inProcess()
	w.write(a.config(a.deployment()))
	w.run("plan", "-json", "-input=false", "-no-color").tells("Credential is not accepted", "(attribute host, with KUBE_TOKEN)")
}
