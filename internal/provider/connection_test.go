package provider_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"sigs.k8s.io/yaml"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// The tests of connections go by whom the API server takes the provider for.

// access is the shared cluster, and somebody who may do nothing there.
type access struct {
	lab
	host, authority string
	token, user     string
}

// newAccess does not make the test a parallel one: environment variables are the
// whole process's.
func newAccess(t *testing.T) *access {
	t.Helper()
	for _, variable := range []string{
		"KUBE_CONFIG_PATH", "KUBE_CONFIG_PATHS", "KUBE_CTX", "KUBE_CTX_CLUSTER", "KUBE_CTX_AUTH_INFO", "KUBE_HOST", "KUBE_TOKEN", "KUBE_CLUSTER_CA_CERT_DATA",
		"KUBE_CLIENT_CERT_DATA", "KUBE_CLIENT_KEY_DATA", "KUBE_INSECURE", "KUBE_TLS_SERVER_NAME", "KUBE_PROXY_URL", "KUBE_USER", "KUBE_PASSWORD",
	} {
		t.Setenv(variable, "")
	}
	c := testcluster.Shared(t)
	a := &access{lab: lab{t: t, cluster: c, namespace: c.Namespace(t)}}
	a.token = c.RestrictedToken(t, a.namespace, nil)
	a.user = "system:serviceaccount:" + a.namespace + ":restricted-"
	admin := kubeconfigIn(t, c.Kubeconfig(t))
	a.host, a.authority = admin.Clusters[0].Cluster.Server, string(admin.Clusters[0].Cluster.Authority)
	return a
}

// kubeconfig is what a kubeconfig says where.
type kubeconfig struct {
	Context  string `json:"current-context"`
	Clusters []struct {
		Cluster struct {
			Server    string `json:"server"`
			Authority []byte `json:"certificate-authority-data"`
		} `json:"cluster"`
	} `json:"clusters"`
}

func kubeconfigIn(t *testing.T, path string) (k kubeconfig) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(text, &k)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// edited replaces a text in a kubeconfig.
func edited(t *testing.T, path, old, replacement string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("there is no %q in the kubeconfig", old)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), old, replacement)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// configured configures a provider, and tells what that said.
func configured(t *testing.T, config data) (*protocol, []*tfprotov6.Diagnostic) {
	t.Helper()
	server, err := newProviderServer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := &protocol{t: t, server: server}
	if p.schemas, err = server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{}); err != nil {
		t.Fatal(err)
	}
	if p.identities, err = server.GetResourceIdentitySchemas(t.Context(), &tfprotov6.GetResourceIdentitySchemasRequest{}); err != nil {
		t.Fatal(err)
	}
	resp, err := server.ConfigureProvider(t.Context(), &tfprotov6.ConfigureProviderRequest{
		TerraformVersion: "1.14.0", Config: p.pack(p.schemas.Provider.ValueType(), config),
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, resp.Diagnostics
}

func (p *protocol) planOf(typeName string, config data) []*tfprotov6.Diagnostic {
	p.t.Helper()
	typ := p.resourceType(typeName)
	planned, err := p.server.PlanResourceChange(p.t.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: typeName, Config: p.pack(typ, config), PriorState: p.pack(typ, nil), ProposedNewState: p.pack(typ, config),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return planned.Diagnostics
}

// destroy plans and applies that nothing is left.
func (p *protocol) destroy(typeName string, state data) object {
	p.t.Helper()
	typ := p.resourceType(typeName)
	planned, err := p.server.PlanResourceChange(p.t.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: typeName, Config: p.pack(typ, nil), PriorState: p.pack(typ, state), ProposedNewState: p.pack(typ, nil),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.fine(planned.Diagnostics)
	resp, err := p.server.ApplyResourceChange(p.t.Context(), &tfprotov6.ApplyResourceChangeRequest{
		TypeName: typeName, Config: p.pack(typ, nil), PriorState: p.pack(typ, state), PlannedState: planned.PlannedState, PlannedPrivate: planned.PlannedPrivate,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return object{state: p.unpack(typ, resp.NewState), diagnostics: resp.Diagnostics}
}

var refusedUser = regexp.MustCompile(`user "([^"]+)" lacks permissions`)

// wantNobody fails the test unless the API server takes the provider for the
// service account that may do nothing.
func (a *access) wantNobody(t *testing.T, config data) {
	t.Helper()
	p, diagnostics := configured(t, config)
	p.fine(diagnostics)
	made := p.change(t.Context(), deploymentType, a.deploymentData("v1"), nil)
	found := refusedUser.FindStringSubmatch(said(made.diagnostics, tfprotov6.DiagnosticSeverityError))
	if len(found) == 0 || !strings.HasPrefix(found[1], a.user) {
		t.Errorf("the API server takes us for %q, want %s…:\n%s", found, a.user, said(made.diagnostics, tfprotov6.DiagnosticSeverityError))
	}
}

// printing is a script that prints a token.
func printing(t *testing.T, token string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plugin")
	script := fmt.Sprintf("#!/bin/sh\necho '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"%s\"}}'\n", token)
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	return path
}

// TestWhoIsSpelledOutActs: the administrator's certificate in the kubeconfig does
// not go along, nor anything else of that user.
func TestWhoIsSpelledOutActs(t *testing.T) {
	a := newAccess(t)
	exec := data{"api_version": "client.authentication.k8s.io/v1", "command": printing(t, a.token)}
	certificate := a.cluster.KubeconfigPath
	withToken := a.cluster.Proxy(t).KubeconfigPath
	for name, config := range map[string]data{
		"a token beside a certificate":           {"config_path": certificate, "token": a.token},
		"a token beside a token":                 {"config_path": withToken, "token": a.token},
		"a plugin beside a certificate":          {"config_path": certificate, "exec": exec},
		"a plugin beside a token":                {"config_path": withToken, "exec": exec},
		"a cluster's token beside a certificate": {"clusters": data{"default": data{"config_path": certificate, "token": a.token}}},
		"a file's newline":                       {"host": a.host + "\n", "cluster_ca_certificate": "\n" + a.authority + "\n", "token": a.token + "\r\n"},
	} {
		t.Run(name, func(t *testing.T) { a.wantNobody(t, config) })
	}
}

// TestEachAttributeHasItsVariable, as in hashicorp/kubernetes and as HCP Terraform
// sets them.
func TestEachAttributeHasItsVariable(t *testing.T) {
	a := newAccess(t)
	file := a.cluster.Kubeconfig(t, testcluster.WithToken(a.token))
	mine := kubeconfigIn(t, file).Context
	edited(t, file, "current-context: "+mine+"\n", "")
	for name, test := range map[string]struct {
		config data
		env    map[string]string
	}{
		"host in the block":         {data{"host": a.host, "cluster_ca_certificate": a.authority}, map[string]string{"KUBE_TOKEN": a.token}},
		"CA in the block":           {data{"cluster_ca_certificate": a.authority}, map[string]string{"KUBE_HOST": a.host, "KUBE_TOKEN": a.token}},
		"nothing in the block":      {data{}, map[string]string{"KUBE_HOST": a.host, "KUBE_TOKEN": a.token, "KUBE_CLUSTER_CA_CERT_DATA": a.authority}},
		"context in the block":      {data{"config_context": mine}, map[string]string{"KUBE_CONFIG_PATH": file}},
		"file in the block":         {data{"config_path": file}, map[string]string{"KUBE_CTX": mine}},
		"token beside a kubeconfig": {data{"config_path": a.cluster.KubeconfigPath}, map[string]string{"KUBE_TOKEN": a.token}},
		"the block's token first":   {data{"host": a.host, "cluster_ca_certificate": a.authority, "token": a.token}, map[string]string{"KUBE_TOKEN": "another"}},
	} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range test.env {
				t.Setenv(variable, value)
			}
			a.wantNobody(t, test.config)
		})
	}
}

// TestWhatCannotBeSentIsAnErrorOfItsAttribute, before anything is asked.
func TestWhatCannotBeSentIsAnErrorOfItsAttribute(t *testing.T) {
	a := newAccess(t)
	at := tftypes.NewAttributePath().WithAttributeName
	for name, test := range map[string]struct {
		config data
		path   *tftypes.AttributePath
		says   string
	}{
		"newline":           {data{"host": a.host, "token": "one\ntwo"}, at("token"), "a newline"},
		"with Bearer":       {data{"host": a.host, "token": "Bearer abc"}, at("token"), "Bearer"},
		"byte order mark":   {data{"host": a.host, "token": "\ufeffabc"}, at("token"), "U+FEFF"},
		"control character": {data{"host": a.host, "token": "abc\x1b[0m"}, at("token"), "U+001B"},
		"in a cluster": {
			data{"clusters": data{"prod": data{"host": a.host, "token": "one\ntwo"}}},
			at("clusters").WithElementKeyString("prod").WithAttributeName("token"), "a newline",
		},
		"server name": {data{"host": a.host, "token": "t", "tls_server_name": "a b"}, at("tls_server_name"), "white space"},
	} {
		t.Run(name, func(t *testing.T) {
			_, diagnostics := configured(t, test.config)
			wantSays(t, diagnostics, tfprotov6.DiagnosticSeverityError, "cannot be sent", test.says)
			if len(diagnostics) != 1 || !diagnostics[0].Attribute.Equal(test.path) {
				t.Errorf("%v", diagnostics)
			}
			if token, ok := test.config["token"].(string); ok && len(token) > 1 && strings.Contains(said(diagnostics, tfprotov6.DiagnosticSeverityError), token) {
				t.Error("the token is in the error")
			}
		})
	}
}

// TestAnEmptyCredentialIsNobodyElses: a file or a variable that is empty does not
// make the kubeconfig's own user act.
func TestAnEmptyCredentialIsNobodyElses(t *testing.T) {
	a := newAccess(t)
	at := tftypes.NewAttributePath().WithAttributeName
	for name, test := range map[string]struct {
		config data
		path   *tftypes.AttributePath
	}{
		"token":       {data{"config_path": a.cluster.KubeconfigPath, "token": ""}, at("token")},
		"a newline":   {data{"config_path": a.cluster.KubeconfigPath, "token": " \n"}, at("token")},
		"with a host": {data{"host": a.host, "token": ""}, at("token")},
		"certificate": {data{"config_path": a.cluster.KubeconfigPath, "client_certificate": "", "client_key": "k"}, at("client_certificate")},
		"in a cluster": {
			data{"clusters": data{"prod": data{"config_path": a.cluster.KubeconfigPath, "username": ""}}},
			at("clusters").WithElementKeyString("prod").WithAttributeName("username"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, diagnostics := configured(t, test.config)
			wantSays(t, diagnostics, tfprotov6.DiagnosticSeverityError, "Empty credential", "set it to null")
			if len(diagnostics) != 1 || !diagnostics[0].Attribute.Equal(test.path) {
				t.Errorf("%v", diagnostics)
			}
		})
	}
}

// TestAClusterThatIsWellIsNotForgotten: the credential is what cannot be sent.
func TestAClusterThatIsWellIsNotForgotten(t *testing.T) {
	a := newAccess(t)
	config := a.deploymentData("v1")
	config["abandon_unreachable"] = true
	made := speak(t, map[string]string{"default": a.cluster.KubeconfigPath}).change(t.Context(), deploymentType, config, nil)
	if text := said(made.diagnostics, tfprotov6.DiagnosticSeverityError); text != "" {
		t.Fatal(text)
	}
	broken := edited(t, a.cluster.Kubeconfig(t), "  user:\n    ", "  user:\n    as: \"jane\\ndoe\"\n    ")
	gone := speak(t, map[string]string{"default": broken}).destroy(deploymentType, made.state)
	wantSays(t, gone.diagnostics, tfprotov6.DiagnosticSeverityError, "Connection does not work", "The cluster may be well")
	if gone.state == nil {
		t.Errorf("it was forgotten:\n%s", said(gone.diagnostics, tfprotov6.DiagnosticSeverityWarning))
	}
}

// TestAHangingPluginIsBlamed, and not the cluster, at the deadline of the apply.
// Its credential is old at once, so that it is called for each request.
func TestAHangingPluginIsBlamed(t *testing.T) {
	a := newAccess(t)
	hang := filepath.Join(t.TempDir(), "hang")
	command := filepath.Join(t.TempDir(), "plugin")
	script := fmt.Sprintf(`#!/bin/sh
[ ! -e %s ] || exec sleep 1000
echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s","expirationTimestamp":"2020-01-01T00:00:00Z"}}'
`, hang, a.token)
	if err := os.WriteFile(command, []byte(script), 0o700); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	p, diagnostics := configured(t, data{
		"host": a.host, "cluster_ca_certificate": a.authority, "exec": data{"api_version": "client.authentication.k8s.io/v1", "command": command},
	})
	p.fine(diagnostics)
	config, typ := a.deploymentData("v1"), p.resourceType(deploymentType)
	config["timeouts"] = data{"create": "10s"}
	planned, err := p.server.PlanResourceChange(t.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: deploymentType, Config: p.pack(typ, config), PriorState: p.pack(typ, nil), ProposedNewState: p.pack(typ, config),
	})
	if err != nil {
		t.Fatal(err)
	}
	p.fine(planned.Diagnostics)
	if err := os.WriteFile(hang, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	applied, err := p.server.ApplyResourceChange(t.Context(), &tfprotov6.ApplyResourceChangeRequest{
		TypeName: deploymentType, Config: p.pack(typ, config), PriorState: p.pack(typ, nil), PlannedState: planned.PlannedState, PlannedPrivate: planned.PlannedPrivate,
	})
	if err != nil {
		t.Fatal(err)
	}
	wantSays(t, applied.Diagnostics, tfprotov6.DiagnosticSeverityError, "Credential is not accepted", command, "had not finished", "timeouts.create")
	if text := said(applied.Diagnostics, tfprotov6.DiagnosticSeverityError); strings.Contains(text, "has not answered") || strings.Contains(text, "API server") {
		t.Errorf("the cluster is blamed:\n%s", text)
	}
}
