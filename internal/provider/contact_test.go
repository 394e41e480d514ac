package provider_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

// TestPlanOfACreateUsesTheConnection, and asks no more than an apply would first.
func TestPlanOfACreateUsesTheConnection(t *testing.T) {
	a := newAccess(t)
	resources := func() map[string]data {
		second := a.deploymentData("v1")
		second["application"] = "other"
		main := a.mainData()
		return map[string]data{deploymentType: a.deploymentData("v1"), deploymentType + " ": second, mainType: main}
	}
	for name, test := range map[string]struct {
		connection data
		says       string // empty: the plan goes on
	}{
		"wrong token":      {data{"host": a.host, "cluster_ca_certificate": a.authority, "token": "nonsense"}, "Credential is not accepted"},
		"no credential":    {data{"host": a.host, "cluster_ca_certificate": a.authority}, "No credential in this connection"},
		"wrong authority":  {data{"host": a.host, "token": a.token}, "No trusted connection"},
		"wrong cluster":    {data{"config_path": a.cluster.KubeconfigPath, "expected_uid": "another"}, "Wrong cluster"},
		"wrong plugin":     {data{"host": a.host, "cluster_ca_certificate": a.authority, "exec": data{"api_version": "client.authentication.k8s.io/v1", "command": "false"}}, `exec plugin "/`},
		"may do nothing":   {data{"host": a.host, "cluster_ca_certificate": a.authority, "token": a.token}, ""},
		"not there":        {data{"host": "https://127.0.0.1:1", "token": "t"}, ""},
		"no known address": {data{"host": "https://no-such-host.invalid", "token": "t"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, diagnostics := configured(t, data{"clusters": data{"default": test.connection}})
			p.fine(diagnostics)
			for kind, config := range resources() {
				found := p.planOf(strings.TrimSpace(kind), config)
				if test.says == "" {
					p.fine(found)
				} else {
					wantSays(t, found, tfprotov6.DiagnosticSeverityError, test.says)
				}
			}
		})
	}
	t.Run("where a rollout goes on", func(t *testing.T) {
		p, diagnostics := configured(t, data{"clusters": data{
			"good": data{"config_path": a.cluster.KubeconfigPath}, "bad": data{"host": a.host, "cluster_ca_certificate": a.authority, "token": "nonsense"},
		}})
		p.fine(diagnostics)
		config := maps.Clone(a.deploymentData("v1"))
		config["clusters"] = []string{"bad", "good"}
		wantSays(t, p.planOf(deploymentType, config), tfprotov6.DiagnosticSeverityError, "Credential is not accepted", `"bad"`)
		config["rollout"] = data{"on_failure": "continue", "max_parallel": 1}
		found := p.planOf(deploymentType, config)
		p.fine(found)
		wantSays(t, found, tfprotov6.DiagnosticSeverityWarning, "Credential is not accepted", `"bad"`)
	})
	t.Run("once", func(t *testing.T) {
		proxy := a.cluster.Proxy(t)
		p := speak(t, map[string]string{"default": proxy.KubeconfigPath})
		for kind, config := range resources() {
			p.fine(p.planOf(strings.TrimSpace(kind), config))
		}
		contacts := 0
		for _, r := range proxy.Requests() {
			if r.Path == "/version" {
				contacts++
			}
			if r.Write() {
				t.Errorf("a plan writes: %s", r.String())
			}
		}
		if contacts != 1 {
			t.Errorf("%d first contacts, want 1", contacts)
		}
	})
}
