package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

func pemOf(cert *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
}

func keyPair(t *testing.T, expires time.Time) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "jane"},
		NotBefore: expires.Add(-48 * time.Hour), NotAfter: expires, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

const kubeconfig = `
apiVersion: v1
kind: Config
current-context: staging
clusters:
- {name: c1, cluster: {server: "https://one.example:6443"}}
- {name: c2, cluster: {server: "https://two.example:6443"}}
users:
- {name: u1, user: {token: abc}}
- {name: old, user: {auth-provider: {name: gcp}}}
- {name: gone, user: {exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: no-such-plugin, installHint: "get it at example.com"}}}
- {name: asks, user: {exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Always, command: sh}}}
contexts:
- {name: staging, context: {cluster: c1, user: u1}}
- {name: production, context: {cluster: c2, user: u1}}
- {name: old, context: {cluster: c1, user: old}}
- {name: gone, context: {cluster: c1, user: gone}}
- {name: asks, context: {cluster: c1, user: asks}}
`

func TestConfig(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	// None of these may be looked at.
	t.Setenv("KUBECONFIG", filepath.Join(home, "kubeconfig"))
	t.Setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
	t.Setenv("KUBERNETES_SERVICE_PORT", "6443")
	t.Setenv("KUBERNETES_MASTER", "http://localhost:8080")
	write := func(name, text string) string {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := write("kubeconfig", kubeconfig)
	write(".kube/config", kubeconfig)
	headless := write("headless", strings.Replace(kubeconfig, "current-context: staging", "", 1))
	garbage := write("garbage", "{not yaml")
	empty := write("empty", "")
	write("extra", "apiVersion: v1\nkind: Config\ncontexts:\n- {name: more, context: {cluster: c2, user: u1}}\n")
	fresh, freshKey := keyPair(t, time.Now().Add(time.Hour))
	stale, staleKey := keyPair(t, time.Now().Add(-2*time.Hour))
	_, otherKey := keyPair(t, time.Now().Add(time.Hour))
	plugin := func(command, version string) *Exec { return &Exec{APIVersion: version, Command: command} }
	const v1 = "client.authentication.k8s.io/v1"
	host := "https://api.example:6443"

	for name, test := range map[string]struct {
		config    Config
		attribute string // of the error
		says      string
		host      string // where there is no error
	}{
		"tilde":             {config: Config{ConfigPath: "~/kubeconfig"}, host: "https://one.example:6443"},
		"context":           {config: Config{ConfigPath: file, ConfigContext: "production"}, host: "https://two.example:6443"},
		"cluster":           {config: Config{ConfigPath: file, ConfigContextCluster: "c2", ConfigContextAuthInfo: "u1"}, host: "https://two.example:6443"},
		"merged":            {config: Config{ConfigPaths: []string{file, "~/extra"}, ConfigContext: "more"}, host: "https://two.example:6443"},
		"host":              {config: Config{Host: host, Token: "t"}, host: host},
		"host wins":         {config: Config{ConfigPath: file, Host: host}, host: host},
		"certificate":       {config: Config{Host: host, ClientCertificate: fresh, ClientKey: freshKey, ClusterCACertificate: fresh}, host: host},
		"exec":              {config: Config{Host: host, Exec: plugin("sh", v1)}, host: host},
		"token over plugin": {config: Config{ConfigPath: file, ConfigContext: "gone", Token: "t"}, host: "https://one.example:6443"},

		"nothing":              {config: Config{}, attribute: "", says: "No default is assumed"},
		"context, no file":     {config: Config{ConfigContext: "production"}, attribute: "config_context", says: "config_path"},
		"both":                 {config: Config{ConfigPath: file, ConfigPaths: []string{file}}, attribute: "config_paths", says: "either"},
		"no file":              {config: Config{ConfigPath: "~/none"}, attribute: "config_path", says: "no such file"},
		"no file of many":      {config: Config{ConfigPaths: []string{file, home + "/none"}}, attribute: "config_paths", says: home + "/none"},
		"garbage":              {config: Config{ConfigPath: garbage}, attribute: "config_path", says: garbage},
		"empty":                {config: Config{ConfigPath: empty}, attribute: "config_path", says: "no current context"},
		"directory":            {config: Config{ConfigPath: home}, attribute: "config_path", says: home},
		"no current":           {config: Config{ConfigPath: headless}, attribute: "config_path", says: "production, staging"},
		"wrong context":        {config: Config{ConfigPath: file, ConfigContext: "prod"}, attribute: "config_context", says: "asks, gone, old, production, staging"},
		"wrong cluster":        {config: Config{ConfigPath: file, ConfigContextCluster: "c3"}, attribute: "config_context_cluster", says: "c1, c2"},
		"wrong user":           {config: Config{ConfigPath: file, ConfigContextAuthInfo: "u3"}, attribute: "config_context_auth_info", says: "asks, gone, old, u1"},
		"no scheme":            {config: Config{Host: "api.example:6443", Token: "t"}, attribute: "host", says: "https://"},
		"bare name":            {config: Config{Host: "api.example", Token: "t"}, attribute: "host", says: "https://"},
		"password":             {config: Config{Host: "https://u:p@api.example"}, attribute: "host", says: "must not hold"},
		"plain http":           {config: Config{Host: "http://api.example", Token: "t"}, attribute: "host", says: "clear text"},
		"insecure and CA":      {config: Config{Host: host, Insecure: ptr(true), ClusterCACertificate: fresh}, attribute: "insecure", says: "cluster_ca_certificate"},
		"bad CA":               {config: Config{Host: host, ClusterCACertificate: "LS0tLS1CRUdJTi"}, attribute: "cluster_ca_certificate", says: "PEM"},
		"bad certificate":      {config: Config{Host: host, ClientCertificate: "x", ClientKey: "y"}, attribute: "client_certificate", says: "PEM"},
		"wrong key":            {config: Config{Host: host, ClientCertificate: fresh, ClientKey: otherKey}, attribute: "client_certificate", says: "does not match"},
		"no key":               {config: Config{Host: host, ClientCertificate: fresh}, attribute: "client_certificate", says: "client_key"},
		"no certificate":       {config: Config{Host: host, ClientKey: freshKey}, attribute: "client_key", says: "client_certificate"},
		"no password":          {config: Config{Host: host, Username: "jane"}, attribute: "username", says: "password"},
		"no user":              {config: Config{Host: host, Password: "x"}, attribute: "password", says: "username"},
		"expired":              {config: Config{Host: host, ClientCertificate: stale, ClientKey: staleKey}, attribute: "client_certificate", says: `"jane" for ` + host + " expired at"},
		"token and exec":       {config: Config{Host: host, Token: "t", Exec: plugin("sh", v1)}, attribute: "token", says: "exec"},
		"no plugin":            {config: Config{Host: host, Exec: plugin("no-such-plugin", v1)}, attribute: "exec.command", says: "no-such-plugin"},
		"no plugin, by path":   {config: Config{Host: host, Exec: plugin("~/plugin", v1)}, attribute: "exec.command", says: home + "/plugin"},
		"old protocol":         {config: Config{Host: host, Exec: plugin("sh", "client.authentication.k8s.io/v1alpha1")}, attribute: "exec.api_version", says: v1},
		"no plugin, from file": {config: Config{ConfigPath: file, ConfigContext: "gone"}, attribute: "config_path", says: "get it at example.com"},
		"interactive plugin":   {config: Config{ConfigPath: file, ConfigContext: "asks"}, attribute: "config_path", says: "terminal"},
		"auth-provider":        {config: Config{ConfigPath: file, ConfigContext: "old"}, attribute: "config_path", says: "gcp"},
		"bad proxy":            {config: Config{Host: host, ProxyURL: "ftp://x"}, attribute: "proxy_url", says: "proxy"},
	} {
		t.Run(name, func(t *testing.T) {
			test.config.Name = "prod"
			c, err := New(test.config)
			if test.host != "" {
				if err != nil {
					t.Fatal(err)
				}
				c.Close()
				if c.Host() != test.host {
					t.Errorf("host %s, want %s", c.Host(), test.host)
				}
				return
			}
			var fault *ConfigError
			if !errors.As(err, &fault) {
				t.Fatalf("got %v", err)
			}
			if fault.Attribute != test.attribute || !strings.Contains(fault.Detail, test.says) || fault.Cluster != "prod" || fault.Summary == "" {
				t.Errorf("attribute %q, want %q; %q should be in: %s", fault.Attribute, test.attribute, test.says, fault.Detail)
			}
		})
	}
}

func TestUntrustedCertificates(t *testing.T) {
	t.Parallel()
	proxy := testcluster.Shared(t).Proxy(t)
	host, ca := serverOf(t, proxy.KubeconfigPath)
	stranger, _ := keyPair(t, time.Now().Add(time.Hour))
	plain := httptest.NewServer(nil)
	t.Cleanup(plain.Close)
	for name, config := range map[string]Config{
		"wrong CA":   {Host: host, ClusterCACertificate: stranger, Token: "t"},
		"no CA":      {Host: host, Token: "t"},
		"wrong name": {Host: host, ClusterCACertificate: ca, TLSServerName: "other.example", Token: "t"},
		"no TLS":     {Host: strings.Replace(plain.URL, "http:", "https:", 1), Token: "t"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := strings.TrimPrefix(config.Host, "https://")
			wires := stretch(t, address)
			config.Host = "https://" + wires.address
			c := connect(t, config)
			for i := range 2 {
				err := c.Get(t.Context(), "default", "x", &corev1.ConfigMap{})
				var untrusted *TLSError
				if !errors.As(err, &untrusted) || !strings.Contains(err.Error(), c.Host()) || !strings.Contains(err.Error(), "attribute host") {
					t.Errorf("got %v", err)
				}
				if n := wires.count(); n > i+1 { // it is not tried again
					t.Errorf("%d connections for %d requests", n, i+1)
				}
			}
		})
	}
	t.Run("insecure", func(t *testing.T) {
		t.Parallel()
		if err := connect(t, Config{Host: host, Insecure: ptr(true), Token: tokenOf(t, proxy.KubeconfigPath)}).Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// plugin is a script that counts its calls.
func plugin(t *testing.T, script string) (exec *Exec, calls func() int) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "calls")
	path := filepath.Join(dir, "plugin")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho call >>"+log+"\n"+script), 0o700); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	return &Exec{APIVersion: "client.authentication.k8s.io/v1", Command: path, Env: map[string]string{"PASSPHRASE": "open sesame"}}, func() int {
		b, _ := os.ReadFile(log)
		return strings.Count(string(b), "call")
	}
}

func TestExecPlugin(t *testing.T) {
	t.Parallel()
	proxy := testcluster.Shared(t).Proxy(t)
	host, ca := serverOf(t, proxy.KubeconfigPath)
	exec, calls := plugin(t, fmt.Sprintf(`case "$KUBERNETES_EXEC_INFO" in *'"interactive":false'*) ;; *) exit 3;; esac
[ "$PASSPHRASE" = "open sesame" ] || exit 4
echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}'`, tokenOf(t, proxy.KubeconfigPath)))
	c := connect(t, Config{Host: host, ClusterCACertificate: ca, Exec: exec})
	done := make(chan error)
	for range 10 {
		go func() { done <- c.Get(t.Context(), "", "default", &corev1.Namespace{}) }()
	}
	for range 10 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := calls(); n != 1 {
		t.Errorf("called %d times, want 1", n)
	}
	// A token that is refused in mid-apply is fetched again, once.
	proxy.Reset()
	proxy.SetFault(testcluster.OnRequest(1, testcluster.Reject(401, metav1.StatusReasonUnauthorized, "Unauthorized")))
	if err := c.Create(t.Context(), configMap(testcluster.Shared(t).Namespace(t), "x")); err != nil {
		t.Error(err)
	}
	if n := calls(); n != 2 {
		t.Errorf("called %d times after a refusal, want 2", n)
	}
	proxy.SetFault(func(*testcluster.Request, int) testcluster.Fault {
		return testcluster.Reject(401, metav1.StatusReasonUnauthorized, "Unauthorized")
	})
	var refused *CredentialError
	if err := c.Get(t.Context(), "", "default", &corev1.Namespace{}); !errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
	if n := calls(); n != 3 {
		t.Errorf("called %d times, want 3", n)
	}
}

func TestExecPluginFails(t *testing.T) {
	t.Parallel()
	const secret = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N"
	for name, test := range map[string]struct{ script, says string }{
		"exit":    {"echo 'session expired for jane; token=" + secret + " passphrase open sesame' >&2; exit 7", "session expired for jane"},
		"rubbish": {"echo " + secret + "; echo 'warning: odd' >&2", "not an ExecCredential"},
		"empty":   {`echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential"}'`, "without a token"},
		"version": {`echo '{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential","status":{"token":"x"}}'`, "v1beta1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			exec, calls := plugin(t, test.script)
			c := connect(t, Config{Host: "https://127.0.0.1:1", Exec: exec})
			for range 3 {
				err := c.Get(t.Context(), "default", "x", &corev1.ConfigMap{})
				var credential *CredentialError
				if !errors.As(err, &credential) || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), exec.Command) {
					t.Errorf("got %v", err)
				}
				for _, leak := range []string{secret, "open sesame"} {
					if strings.Contains(err.Error(), leak) {
						t.Errorf("%q is in the error", leak)
					}
				}
			}
			if n := calls(); n != 1 {
				t.Errorf("called %d times, want 1", n)
			}
		})
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Error: profile prod-admin not found in /home/jane/.aws/config":                 "Error: profile prod-admin not found in /home/jane/.aws/config",
		"AccessDenied for arn:aws:iam::123456789012:role/deployers":                     "AccessDenied for arn:aws:iam::123456789012:role/deployers",
		"Authorization: Bearer abc.def":                                                 "Authorization: ***",
		`{"access_token":"abc"}`:                                                        `{"***"}`,
		"got 0123456789abcdef0123456789abcdef01":                                        "got ***",
		"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nthe end": "***\nthe end",
	} {
		exec := &Exec{}
		if got := concealed(in, (&Config{Exec: exec}).user().Exec); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// TestWithoutACredential: an API server refuses nobody in particular, and the error
// says why it is nobody. Somebody who lacks a permission is told nothing of that.
func TestWithoutACredential(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	bare := Config{ConfigPath: w.proxy.Through(t, testcluster.Shared(t).Kubeconfig(t, testcluster.WithToken("")))}
	var none *NoCredentialError
	err := connect(t, bare).Get(t.Context(), w.namespace, "x", &corev1.ConfigMap{})
	if !errors.As(err, &none) || !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "there is no credential in this connection (kubeconfig ") || !strings.Contains(err.Error(), "system:anonymous") {
		t.Errorf("forbidden: %v", err)
	}
	if err := connect(t, bare).Check(t.Context()); err != nil {
		t.Errorf("anybody may ask for the version: %v", err)
	}
	if err := connect(t, bare).Admits(t.Context(), w.namespace); !errors.As(err, &none) {
		t.Errorf("nobody is let in: %v", err)
	}
	named := bare
	named.Token = testcluster.Shared(t).RestrictedToken(t, w.namespace, nil)
	if err := connect(t, named).Get(t.Context(), w.namespace, "x", &corev1.ConfigMap{}); !apierrors.IsForbidden(err) || errors.As(err, &none) {
		t.Errorf("somebody: %v", err)
	}
	if err := connect(t, named).Admits(t.Context(), w.namespace); err != nil {
		t.Errorf("somebody is not asked: %v", err)
	}
	answers := func(code int, reason metav1.StatusReason, message string) {
		w.proxy.SetFault(func(*testcluster.Request, int) testcluster.Fault { return testcluster.Reject(code, reason, message) })
	}
	answers(401, metav1.StatusReasonUnauthorized, "Unauthorized")
	var refused *CredentialError
	if err := connect(t, bare).Get(t.Context(), w.namespace, "x", &corev1.ConfigMap{}); !errors.As(err, &refused) || !errors.As(err, &none) {
		t.Errorf("unauthorized: %v", err)
	}
	// A proxy in front of the API server may say who we are.
	answers(403, metav1.StatusReasonForbidden, `User "jane" cannot get resource "configmaps"`)
	if err := connect(t, bare).Get(t.Context(), w.namespace, "x", &corev1.ConfigMap{}); !apierrors.IsForbidden(err) || errors.As(err, &none) {
		t.Errorf("somebody by a proxy: %v", err)
	}
}
