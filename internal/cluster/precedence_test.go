package cluster

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// acts says in a line where a connection leads and who it acts as.
func acts(config *rest.Config) string {
	var as []string
	if block, _ := pem.Decode(config.CertData); block != nil {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return err.Error()
		}
		as = append(as, "certificate "+cert.Subject.CommonName)
	}
	if config.BearerToken != "" {
		as = append(as, "token "+config.BearerToken)
	}
	if config.Username != "" {
		as = append(as, "user "+config.Username+":"+config.Password)
	}
	if p := config.ExecProvider; p != nil {
		as = append(as, "plugin "+strings.Join(append([]string{filepath.Base(p.Command)}, p.Args...), " "))
	}
	if config.Impersonate.UserName != "" {
		as = append(as, "for "+config.Impersonate.UserName)
	}
	if len(as) == 0 {
		as = []string{"nobody"}
	}
	return config.Host + " as " + strings.Join(as, " and ")
}

// The kubeconfigs that clouds and their tools write, shortened.
const (
	eksKubeconfig = `
apiVersion: v1
kind: Config
current-context: arn:aws:eks:eu-central-1:111122223333:cluster/prod
clusters:
- name: arn:aws:eks:eu-central-1:111122223333:cluster/prod
  cluster: {server: "https://ABC.gr7.eu-central-1.eks.amazonaws.com"}
contexts:
- name: arn:aws:eks:eu-central-1:111122223333:cluster/prod
  context: {cluster: "arn:aws:eks:eu-central-1:111122223333:cluster/prod", user: "arn:aws:eks:eu-central-1:111122223333:cluster/prod"}
users:
- name: arn:aws:eks:eu-central-1:111122223333:cluster/prod
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      args: [--region, eu-central-1, eks, get-token, --cluster-name, prod, --output, json]
      command: aws
      env:
      - {name: AWS_PROFILE, value: prod}
`
	gkeKubeconfig = `
apiVersion: v1
kind: Config
current-context: gke_shop_europe-west3_prod
clusters:
- {name: gke_shop_europe-west3_prod, cluster: {server: "https://203.0.113.10"}}
contexts:
- {name: gke_shop_europe-west3_prod, context: {cluster: gke_shop_europe-west3_prod, user: gke_shop_europe-west3_prod}}
users:
- name: gke_shop_europe-west3_prod
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      command: gke-gcloud-auth-plugin
      installHint: Install gke-gcloud-auth-plugin
      provideClusterInfo: true
`
	aksKubeconfig = `
apiVersion: v1
kind: Config
current-context: prod
clusters:
- {name: prod, cluster: {server: "https://prod-dns-1.hcp.westeurope.azmk8s.io:443"}}
contexts:
- {name: prod, context: {cluster: prod, user: clusterUser_rg_prod}}
users:
- name: clusterUser_rg_prod
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      args: [get-token, --login, azurecli, --server-id, 6dae42f8]
      command: kubelogin
      env: null
      installHint: kubelogin is not installed
      provideClusterInfo: false
`
	rancherKubeconfig = `
apiVersion: v1
kind: Config
current-context: prod
clusters:
- {name: prod, cluster: {server: "https://rancher.example/k8s/clusters/c-m-abcd"}}
users:
- {name: prod, user: {token: "kubeconfig-u-abcd:secret"}}
contexts:
- {name: prod, context: {cluster: prod, user: prod}}
`
	oidcKubeconfig = `
apiVersion: v1
kind: Config
current-context: prod
clusters:
- {name: prod, cluster: {server: "https://api.example:6443"}}
users:
- name: oidc
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: kubectl
      args: [oidc-login, get-token, "--oidc-issuer-url=https://login.example"]
      interactiveMode: IfAvailable
      provideClusterInfo: false
contexts:
- {name: prod, context: {cluster: prod, user: oidc}}
`
	// One cluster, and one user of each kind.
	everyoneKubeconfig = `
apiVersion: v1
kind: Config
current-context: token
clusters:
- {name: c, cluster: {server: "https://api.example:6443", tls-server-name: kubernetes, insecure-skip-tls-verify: true}}
- {name: plain, cluster: {server: "http://api.example:8080"}}
users:
- {name: token, user: {token: " abc\n"}}
- {name: tokenfile, user: {tokenFile: token}}
- {name: certificate, user: {client-certificate-data: CERTIFICATE, client-key-data: KEY}}
- {name: both, user: {client-certificate-data: CERTIFICATE, client-key-data: KEY, token: abc}}
- {name: basic, user: {username: jane, password: "open sesame"}}
- {name: plugin, user: {exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: aws}}}
- {name: provider, user: {auth-provider: {name: gcp}}}
- {name: impersonator, user: {token: abc, as: jane}}
- {name: torn, user: {token: "a\nb"}}
contexts:
- {name: token, context: {cluster: c, user: token}}
- {name: tokenfile, context: {cluster: c, user: tokenfile}}
- {name: certificate, context: {cluster: c, user: certificate}}
- {name: both, context: {cluster: c, user: both}}
- {name: basic, context: {cluster: c, user: basic}}
- {name: plugin, context: {cluster: c, user: plugin}}
- {name: provider, context: {cluster: c, user: provider}}
- {name: impersonator, context: {cluster: c, user: impersonator}}
- {name: torn, context: {cluster: c, user: torn}}
- {name: typo, context: {cluster: c, user: tokne}}
- {name: nowhere, context: {cluster: none, user: token}}
- {name: plain token, context: {cluster: plain, user: token}}
- {name: plain tokenfile, context: {cluster: plain, user: tokenfile}}
- {name: plain certificate, context: {cluster: plain, user: certificate}}
- {name: plain basic, context: {cluster: plain, user: basic}}
- {name: plain plugin, context: {cluster: plain, user: plugin}}
- {name: plain provider, context: {cluster: plain, user: provider}}
- {name: plain nobody, context: {cluster: plain}}
`
)

// kubeconfigs writes them, and the plugins that they name.
func kubeconfigs(t *testing.T) (path func(string) string, certificate, key string) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	for _, name := range []string{"aws", "gke-gcloud-auth-plugin", "kubelogin", "kubectl"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o700); err != nil { //nolint:gosec // it is a program
			t.Fatal(err)
		}
	}
	certificate, key = keyPair(t, time.Now().Add(time.Hour))
	inside := strings.NewReplacer("CERTIFICATE", base64.StdEncoding.EncodeToString([]byte(certificate)), "KEY", base64.StdEncoding.EncodeToString([]byte(key)))
	for name, text := range map[string]string{
		"eks": eksKubeconfig, "gke": gkeKubeconfig, "aks": aksKubeconfig, "rancher": rancherKubeconfig, "oidc": oidcKubeconfig,
		"everyone": inside.Replace(everyoneKubeconfig), "token": "abc\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(name string) string { return filepath.Join(dir, name) }, certificate, key
}

// environment is a map as os.Getenv.
func environment(variables map[string]string) func(string) string {
	return func(name string) string { return variables[name] }
}

func TestWhoAConnectionActsAs(t *testing.T) {
	path, certificate, key := kubeconfigs(t)
	mine, myKey := keyPair(t, time.Now().Add(time.Hour))
	const (
		host = "https://api.example:6443"
		eks  = "https://ABC.gr7.eu-central-1.eks.amazonaws.com as plugin aws --region eu-central-1 eks get-token --cluster-name prod --output json"
	)
	everyone := path("everyone")
	awsPlugin := &Exec{APIVersion: "client.authentication.k8s.io/v1beta1", Command: "aws", Args: []string{"eks", "get-token", "--cluster-name", "prod"}}
	for name, test := range map[string]struct {
		config Config
		env    map[string]string
		want   string
	}{
		// What clouds and their tools write.
		"EKS":         {config: Config{ConfigPath: path("eks")}, want: eks},
		"GKE":         {config: Config{ConfigPath: path("gke")}, want: "https://203.0.113.10 as plugin gke-gcloud-auth-plugin"},
		"AKS":         {config: Config{ConfigPath: path("aks")}, want: "https://prod-dns-1.hcp.westeurope.azmk8s.io:443 as plugin kubelogin get-token --login azurecli --server-id 6dae42f8"},
		"AKS admin":   {config: Config{ConfigPath: everyone, ConfigContext: "both"}, want: host + " as certificate jane and token abc"},
		"Rancher":     {config: Config{ConfigPath: path("rancher")}, want: "https://rancher.example/k8s/clusters/c-m-abcd as token kubeconfig-u-abcd:secret"},
		"OIDC":        {config: Config{ConfigPath: path("oidc")}, want: host + " as plugin kubectl oidc-login get-token --oidc-issuer-url=https://login.example"},
		"token":       {config: Config{ConfigPath: everyone}, want: host + " as token abc"},
		"token file":  {config: Config{ConfigPath: everyone, ConfigContext: "tokenfile"}, want: host + " as token abc"},
		"certificate": {config: Config{ConfigPath: everyone, ConfigContext: "certificate"}, want: host + " as certificate jane"},
		"basic":       {config: Config{ConfigPath: everyone, ConfigContext: "basic"}, want: host + " as user jane:open sesame"},
		"for another": {config: Config{ConfigPath: everyone, ConfigContext: "impersonator"}, want: host + " as token abc and for jane"},

		// What hashicorp/kubernetes documents.
		"user of another context": {config: Config{ConfigPath: everyone, ConfigContext: "basic", ConfigContextAuthInfo: "plugin"}, want: host + " as plugin aws"},
		"merged files":            {config: Config{ConfigPaths: []string{path("rancher"), path("eks")}, ConfigContext: "arn:aws:eks:eu-central-1:111122223333:cluster/prod"}, want: eks},
		"host, certificate":       {config: Config{Host: host, ClientCertificate: certificate, ClientKey: key, ClusterCACertificate: certificate}, want: host + " as certificate jane"},
		"host, token":             {config: Config{Host: host, Token: "t", ClusterCACertificate: certificate}, want: host + " as token t"},
		"host, basic":             {config: Config{Host: host, Username: "u", Password: "p\n"}, want: host + " as user u:p"},
		"host, all of AKS": {
			config: Config{Host: host, Username: "u", Password: "p", ClientCertificate: certificate, ClientKey: key, ClusterCACertificate: certificate},
			want:   host + " as certificate jane and user u:p",
		},
		"host, plugin":          {config: Config{Host: host, Exec: awsPlugin}, want: host + " as plugin aws eks get-token --cluster-name prod"},
		"variables: file":       {env: map[string]string{"KUBE_CONFIG_PATH": everyone, "KUBE_CTX": "basic"}, want: host + " as user jane:open sesame"},
		"variables: user":       {env: map[string]string{"KUBE_CONFIG_PATH": everyone, "KUBE_CTX_AUTH_INFO": "plugin", "KUBE_CTX_CLUSTER": "c"}, want: host + " as plugin aws"},
		"variables: files":      {env: map[string]string{"KUBE_CONFIG_PATHS": path("rancher") + string(os.PathListSeparator) + everyone, "KUBE_CTX": "token"}, want: host + " as token abc"},
		"variables: path first": {env: map[string]string{"KUBE_CONFIG_PATHS": everyone, "KUBE_CONFIG_PATH": path("rancher")}, want: "https://rancher.example/k8s/clusters/c-m-abcd as token kubeconfig-u-abcd:secret"},
		"variables: certificate": {
			env:  map[string]string{"KUBE_HOST": host, "KUBE_CLIENT_CERT_DATA": certificate, "KUBE_CLIENT_KEY_DATA": key},
			want: host + " as certificate jane",
		},
		"variables: basic": {env: map[string]string{"KUBE_HOST": host, "KUBE_USER": "u", "KUBE_PASSWORD": "p"}, want: host + " as user u:p"},

		// What HCP Terraform's dynamic credentials set.
		"HCP Terraform":                {config: Config{Host: host, ClusterCACertificate: certificate}, env: map[string]string{"KUBE_TOKEN": "hcp"}, want: host + " as token hcp"},
		"HCP Terraform, all variables": {env: map[string]string{"KUBE_HOST": host, "KUBE_CLUSTER_CA_CERT_DATA": certificate, "KUBE_TOKEN": "hcp"}, want: host + " as token hcp"},
		"HCP Terraform, token_path":    {config: Config{Host: host, Token: "hcp\n"}, want: host + " as token hcp"},
		"HCP Terraform, kubeconfig":    {config: Config{ConfigPath: path("eks")}, env: map[string]string{"KUBE_TOKEN": "hcp"}, want: "https://ABC.gr7.eu-central-1.eks.amazonaws.com as token hcp"},

		// What is spelled out is all there is.
		"token over certificate":       {config: Config{ConfigPath: everyone, ConfigContext: "certificate", Token: "t"}, want: host + " as token t"},
		"token over token file":        {config: Config{ConfigPath: everyone, ConfigContext: "tokenfile", Token: "t"}, want: host + " as token t"},
		"token over basic":             {config: Config{ConfigPath: everyone, ConfigContext: "basic", Token: "t"}, want: host + " as token t"},
		"token over plugin":            {config: Config{ConfigPath: everyone, ConfigContext: "plugin", Token: "t"}, want: host + " as token t"},
		"token over auth-provider":     {config: Config{ConfigPath: everyone, ConfigContext: "provider", Token: "t"}, want: host + " as token t"},
		"token over impersonation":     {config: Config{ConfigPath: everyone, ConfigContext: "impersonator", Token: "t"}, want: host + " as token t"},
		"token over nobody":            {config: Config{ConfigPath: everyone, ConfigContext: "typo", Token: "t"}, want: host + " as token t"},
		"certificate over token":       {config: Config{ConfigPath: everyone, ClientCertificate: mine, ClientKey: myKey}, want: host + " as certificate jane"},
		"certificate over plugin":      {config: Config{ConfigPath: everyone, ConfigContext: "plugin", ClientCertificate: mine, ClientKey: myKey}, want: host + " as certificate jane"},
		"basic over token":             {config: Config{ConfigPath: everyone, Username: "u", Password: "p"}, want: host + " as user u:p"},
		"plugin over token":            {config: Config{ConfigPath: everyone, Exec: awsPlugin}, want: host + " as plugin aws eks get-token --cluster-name prod"},
		"plugin over certificate":      {config: Config{ConfigPath: everyone, ConfigContext: "both", Exec: awsPlugin}, want: host + " as plugin aws eks get-token --cluster-name prod"},
		"variable over kubeconfig":     {config: Config{ConfigPath: everyone, ConfigContext: "certificate"}, env: map[string]string{"KUBE_TOKEN": "t"}, want: host + " as token t"},
		"attribute over variable":      {config: Config{Host: host, Token: "t"}, env: map[string]string{"KUBE_TOKEN": "v", "KUBE_HOST": "https://other.example"}, want: host + " as token t"},
		"plugin over variable":         {config: Config{Host: host, Exec: awsPlugin}, env: map[string]string{"KUBE_TOKEN": "v", "KUBE_CLIENT_CERT_DATA": mine, "KUBE_CLIENT_KEY_DATA": myKey}, want: host + " as plugin aws eks get-token --cluster-name prod"},
		"token over variables":         {config: Config{Host: host, Token: "t"}, env: map[string]string{"KUBE_CLIENT_CERT_DATA": mine, "KUBE_CLIENT_KEY_DATA": myKey, "KUBE_USER": "u"}, want: host + " as token t"},
		"half from a variable":         {config: Config{Host: host, ClientCertificate: mine}, env: map[string]string{"KUBE_CLIENT_KEY_DATA": myKey, "KUBE_TOKEN": "v"}, want: host + " as certificate jane"},
		"files over path variable":     {config: Config{ConfigPaths: []string{everyone}}, env: map[string]string{"KUBE_CONFIG_PATH": path("rancher")}, want: host + " as token abc"},
		"path over files variable":     {config: Config{ConfigPath: everyone}, env: map[string]string{"KUBE_CONFIG_PATHS": path("rancher")}, want: host + " as token abc"},
		"host over kubeconfig":         {config: Config{ConfigPath: everyone}, env: map[string]string{"KUBE_HOST": "https://other.example"}, want: "https://other.example as token abc"},
		"kubectl proxy":                {config: Config{ConfigPath: everyone, ConfigContext: "plain nobody"}, want: "http://api.example:8080 as nobody"},
		"white space is nobody's wish": {config: Config{Host: " " + host + "\n", Token: "\tt\r\n"}, env: map[string]string{"KUBE_USER": " \n"}, want: host + " as token t"},
	} {
		t.Run(name, func(t *testing.T) {
			test.config.Name = "prod"
			config, err := test.config.WithEnvironment(environment(test.env))
			if err != nil {
				t.Fatal(err)
			}
			made, source, err := config.rest()
			if err != nil {
				t.Fatal(err)
			}
			if got := acts(made); got != test.want {
				t.Errorf("it is %s\nwant  %s\nfrom %s", got, test.want, source)
			}
			c, err := New(config)
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
		})
	}
}

// How the API server's certificate is checked has the same precedence.
func TestHowTheServerIsChecked(t *testing.T) {
	path, certificate, _ := kubeconfigs(t)
	const host = "https://api.example:6443"
	for name, test := range map[string]struct {
		config   Config
		env      map[string]string
		insecure bool
		ca       bool
		server   string // the name that the certificate must have
	}{
		"kubeconfig":                 {config: Config{ConfigPath: path("everyone")}, insecure: true, server: "kubernetes"},
		"CA over the kubeconfig":     {config: Config{ConfigPath: path("everyone"), ClusterCACertificate: certificate}, ca: true, server: "kubernetes"},
		"checked after all":          {config: Config{ConfigPath: path("everyone"), Insecure: ptr(false)}, server: "kubernetes"},
		"CA over the variable":       {config: Config{Host: host, ClusterCACertificate: certificate}, env: map[string]string{"KUBE_INSECURE": "true"}, ca: true},
		"insecure over the variable": {config: Config{Host: host, Insecure: ptr(true)}, env: map[string]string{"KUBE_CLUSTER_CA_CERT_DATA": certificate}, insecure: true},
		"secure, CA of the variable": {config: Config{Host: host, Insecure: ptr(false)}, env: map[string]string{"KUBE_CLUSTER_CA_CERT_DATA": certificate, "KUBE_INSECURE": "true"}, ca: true},
		"variables":                  {env: map[string]string{"KUBE_HOST": host, "KUBE_INSECURE": "1", "KUBE_TLS_SERVER_NAME": "name\n"}, insecure: true, server: "name"},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := test.config.WithEnvironment(environment(test.env))
			if err != nil {
				t.Fatal(err)
			}
			made, _, err := config.rest()
			if err != nil {
				t.Fatal(err)
			}
			if made.Insecure != test.insecure || (len(made.CAData) > 0) != test.ca || made.ServerName != test.server {
				t.Errorf("insecure %t, CA %t, server name %q", made.Insecure, len(made.CAData) > 0, made.ServerName)
			}
		})
	}
}

// A fault is told of the attribute, or of the variable that it came from.
func TestWhereAConnectionIsWrong(t *testing.T) {
	path, certificate, key := kubeconfigs(t)
	const host = "https://api.example:6443"
	everyone := path("everyone")
	awsPlugin := &Exec{APIVersion: "client.authentication.k8s.io/v1", Command: "aws"}
	in := func(context string) Config { return Config{ConfigPath: everyone, ConfigContext: context} }
	for name, test := range map[string]struct {
		config              Config
		env                 map[string]string
		attribute, variable string
		says                string
	}{
		"variable's token":            {config: Config{Host: host}, env: map[string]string{"KUBE_TOKEN": "a\nb"}, attribute: "token", variable: "KUBE_TOKEN", says: "a newline, after 1 of its 3 bytes"},
		"variable's context":          {config: Config{ConfigPath: everyone}, env: map[string]string{"KUBE_CTX": "none"}, attribute: "config_context", variable: "KUBE_CTX", says: `no context "none"`},
		"variable's file":             {env: map[string]string{"KUBE_CONFIG_PATH": "/none"}, attribute: "config_path", variable: "KUBE_CONFIG_PATH", says: "no such file"},
		"neither true nor false":      {config: Config{Host: host}, env: map[string]string{"KUBE_INSECURE": "perhaps"}, attribute: "insecure", variable: "KUBE_INSECURE", says: "perhaps"},
		"half of a variable":          {config: Config{Host: host}, env: map[string]string{"KUBE_CLIENT_CERT_DATA": certificate}, attribute: "client_certificate", variable: "KUBE_CLIENT_CERT_DATA", says: "client_key"},
		"conflict of variables":       {env: map[string]string{"KUBE_HOST": host, "KUBE_TOKEN": "t", "KUBE_USER": "u"}, attribute: "username", variable: "KUBE_USER", says: "token"},
		"kubeconfig's token":          {config: in("torn"), attribute: "config_path", says: "cannot be sent"},
		"password alone":              {config: Config{Host: host, Password: "p"}, attribute: "password", says: "username"},
		"plugin and certificate":      {config: Config{Host: host, Exec: awsPlugin, ClientCertificate: certificate, ClientKey: key}, attribute: "client_certificate", says: "exec"},
		"plugin and user":             {config: Config{Host: host, Exec: awsPlugin, Username: "u"}, attribute: "username", says: "exec"},
		"user that is not there":      {config: in("typo"), attribute: "config_path", says: `no user "tokne"`},
		"cluster that is not there":   {config: in("nowhere"), attribute: "config_path", says: `no cluster "none"`},
		"auth-provider":               {config: in("provider"), attribute: "config_path", says: "gke-gcloud-auth-plugin"},
		"CA in base64":                {config: Config{Host: host, ClusterCACertificate: base64.StdEncoding.EncodeToString([]byte(certificate))}, attribute: "cluster_ca_certificate", says: "base64decode()"},
		"http: token":                 {config: in("plain token"), attribute: "config_path", says: "clear text"},
		"http: token file":            {config: in("plain tokenfile"), attribute: "config_path", says: "clear text"},
		"http: certificate":           {config: in("plain certificate"), attribute: "config_path", says: "clear text"},
		"http: basic":                 {config: in("plain basic"), attribute: "config_path", says: "clear text"},
		"http: plugin":                {config: in("plain plugin"), attribute: "config_path", says: "clear text"},
		"http: auth-provider":         {config: in("plain provider"), attribute: "config_path", says: "auth-provider"},
		"http: basic spelled out":     {config: Config{Host: "http://api.example", Username: "u", Password: "p"}, attribute: "host", says: "clear text"},
		"http: host over kubeconfig":  {config: Config{Host: "http://api.example", ConfigPath: everyone}, attribute: "host", says: "clear text"},
		"http: capital letters":       {config: Config{Host: "HTTP://api.example", Token: "t"}, attribute: "host", says: "clear text"},
		"http: variable":              {env: map[string]string{"KUBE_HOST": "http://api.example", "KUBE_TOKEN": "t"}, attribute: "host", variable: "KUBE_HOST", says: "clear text"},
		"nothing but a variable's":    {env: map[string]string{"KUBE_TOKEN": "t"}, attribute: "", says: "No default is assumed"},
		"variable's part of no file":  {config: Config{}, env: map[string]string{"KUBE_CTX_CLUSTER": "c"}, attribute: "config_context_cluster", variable: "KUBE_CTX_CLUSTER", says: "config_path"},
		"inner control character":     {config: Config{Host: host, TLSServerName: "a\x00b"}, attribute: "tls_server_name", says: "U+0000"},
		"newline in the middle of it": {config: Config{Host: "https://api\n.example", Token: "t"}, attribute: "host", says: "URL"},
	} {
		t.Run(name, func(t *testing.T) {
			test.config.Name = "prod"
			config, err := test.config.WithEnvironment(environment(test.env))
			if err == nil {
				_, err = New(config)
			}
			var fault *ConfigError
			if !errors.As(err, &fault) {
				t.Fatalf("got %v", err)
			}
			if fault.Attribute != test.attribute || fault.Variable != test.variable || !strings.Contains(fault.Detail, test.says) {
				t.Errorf("attribute %q, variable %q: %q should be in: %s", fault.Attribute, fault.Variable, test.says, fault.Detail)
			}
			for _, secret := range []string{test.config.Token, test.config.Password, key} {
				if len(secret) > 2 && strings.Contains(fault.Detail, secret) {
					t.Error("a secret is in the error")
				}
			}
		})
	}
}

// Every setting has a row, and no two have one variable.
func TestEachVariableStandsForOneAttribute(t *testing.T) {
	t.Parallel()
	var seen []string
	for attribute, variable := range Variables() {
		if slices.Contains(seen, variable) {
			t.Errorf("%s stands for %s, too", variable, attribute)
		}
		seen = append(seen, variable)
		value := map[string]string{"KUBE_INSECURE": "true"}[variable]
		if value == "" {
			value = "x"
		}
		config, err := Config{}.WithEnvironment(environment(map[string]string{variable: value}))
		if err != nil || !config.says(attribute) || fmt.Sprint(config.variables) != fmt.Sprint(map[string]string{attribute: variable}) {
			t.Errorf("%s: %v, %v", variable, config.variables, err)
		}
	}
}
