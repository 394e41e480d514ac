package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Config is how one cluster is reached. The attributes are those of the
// hashicorp/kubernetes provider; Name is what the user calls the cluster.
type Config struct {
	Name      string
	UserAgent string

	ConfigPath            string
	ConfigPaths           []string
	ConfigContext         string
	ConfigContextCluster  string
	ConfigContextAuthInfo string

	Host                 string
	Token                string
	ClusterCACertificate string // PEM
	ClientCertificate    string // PEM
	ClientKey            string // PEM
	Username             string
	Password             string
	Insecure             *bool // nil: not said
	TLSServerName        string
	ProxyURL             string
	Exec                 *Exec
	Blank                []string // attributes of a credential that are spelled out, with nothing in them

	ExpectedUID string // of the kube-system namespace

	Listener func(Request) // is told of every request, from any goroutine; nil: nobody

	variables map[string]string // what came from the environment, by attribute
}

// Exec is a credential plugin, as in a kubeconfig.
type Exec struct {
	APIVersion string
	Command    string
	Args       []string
	Env        map[string]string
}

// ExecAPIVersions are the versions of the credential plugin protocol.
func ExecAPIVersions() []string {
	return []string{"client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"}
}

// where is attribute if it is spelled out, else the attribute that the value
// came from.
func (cfg *Config) where(attribute string) string {
	name, _, _ := strings.Cut(attribute, ".")
	switch {
	case cfg.says(name):
		return attribute
	case len(cfg.ConfigPaths) > 0:
		return "config_paths"
	case cfg.ConfigPath != "":
		return "config_path"
	}
	return attribute
}

func (cfg *Config) fault(attribute, summary, format string, args ...any) *ConfigError {
	return &ConfigError{cfg.Name, attribute, cfg.variables[attribute], summary, fmt.Sprintf(format, args...)}
}

// rest makes client-go's configuration, and says where it comes from.
func (cfg *Config) rest() (*rest.Config, string, error) {
	cfg.trim()
	if err := cfg.check(); err != nil {
		return nil, "", err
	}
	kubeconfig, source, err := cfg.load()
	if err != nil {
		return nil, "", err
	}
	effective := cfg.over(kubeconfig)
	context := effective.Contexts[effective.CurrentContext]
	server, user := effective.Clusters[context.Cluster], effective.AuthInfos[context.AuthInfo]
	if err := firstOf(cfg.checkUser(user, source), cfg.checkHost(server.Server, user), cfg.checkFiles(server, user)); err != nil {
		return nil, "", err
	}
	config, err := clientcmd.NewDefaultClientConfig(*effective, nil).ClientConfig()
	if err != nil {
		return nil, "", cfg.fault(cfg.where(""), "Invalid connection", "%s: %s.", source, err)
	}
	config.UserAgent = cfg.UserAgent
	config.BearerToken = strings.TrimSpace(config.BearerToken)
	return config, source, firstOf(cfg.checkToken(config, source), cfg.checkTLS(config), cfg.checkExec(config, source))
}

// firstOf is the first error; it keeps a nil *ConfigError from becoming one.
func firstOf(errs ...*ConfigError) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (cfg *Config) checkHost(host string, user *clientcmdapi.AuthInfo) *ConfigError {
	if u, err := url.Parse(host); err == nil && u.User != nil {
		return cfg.fault(cfg.where("host"), "Credential in the host", "The host must not hold a user or password: it is shown in messages. Use token or exec.")
	}
	if !isURL(host, "https", "http") {
		return cfg.fault(cfg.where("host"), "Invalid host", "%q is not the URL of an API server: it must look like https://host:6443.", host)
	}
	if strings.HasPrefix(strings.ToLower(host), "http:") && authenticates(user) {
		return cfg.fault(cfg.where("host"), "Unencrypted host", "%s would carry the credential in clear text. Use https.", host)
	}
	return nil
}

func isURL(s string, schemes ...string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && slices.Contains(schemes, u.Scheme)
}

// authenticates tells whether a user has any credential.
func authenticates(u *clientcmdapi.AuthInfo) bool {
	return u.Token != "" || u.TokenFile != "" || u.Username != "" || u.Exec != nil || u.AuthProvider != nil ||
		u.ClientCertificate != "" || len(u.ClientCertificateData) > 0 || u.ClientKey != "" || len(u.ClientKeyData) > 0
}

// anonymous tells whether a connection says nothing of who we are.
func anonymous(config *rest.Config) bool {
	return config.BearerToken == "" && config.BearerTokenFile == "" && config.Username == "" && config.ExecProvider == nil &&
		len(config.CertData) == 0 && config.CertFile == ""
}

// successors are the exec plugins that do what an auth-provider did.
var successors = map[string]string{"gcp": "gke-gcloud-auth-plugin", "azure": "kubelogin", "oidc": "kubectl oidc-login"}

func (cfg *Config) checkUser(user *clientcmdapi.AuthInfo, source string) *ConfigError {
	if user.AuthProvider == nil {
		return nil
	}
	plugin := "an exec plugin"
	if name := successors[user.AuthProvider.Name]; name != "" {
		plugin += ": " + name
	}
	return cfg.fault(cfg.where("exec.command"), "Unsupported credential",
		"%s uses the auth-provider %q, which Kubernetes clients no longer support. Use %s.", source, user.AuthProvider.Name, plugin)
}

// checkFiles looks at the files that a kubeconfig names before they are opened.
func (cfg *Config) checkFiles(server *clientcmdapi.Cluster, user *clientcmdapi.AuthInfo) *ConfigError {
	for _, file := range []struct{ path, summary string }{
		{server.CertificateAuthority, "Unreadable certificate"},
		{user.ClientCertificate, "Unreadable certificate"},
		{user.ClientKey, "Unreadable certificate"},
		{user.TokenFile, "Unreadable token"},
	} {
		if file.path == "" {
			continue
		}
		if err := regular(file.path); err != nil {
			return cfg.fault(cfg.where(""), file.summary, "%s.", err)
		}
	}
	return nil
}

func (cfg *Config) checkToken(config *rest.Config, source string) *ConfigError {
	if err := sendable(config.BearerToken); err != nil {
		return cfg.fault(cfg.where("token"), "Value cannot be sent", "%s: its token cannot be sent: %s. It must be one word%s.", source, err, alsoOf["token"])
	}
	return nil
}

func (cfg *Config) checkTLS(config *rest.Config) *ConfigError {
	if err := rest.LoadTLSFiles(config); err != nil {
		return cfg.fault(cfg.where(""), "Unreadable certificate", "%s.", err)
	}
	if ca := config.CAData; len(ca) > 0 && !x509.NewCertPool().AppendCertsFromPEM(ca) {
		advice := ""
		if text, err := base64.StdEncoding.DecodeString(string(ca)); err == nil && x509.NewCertPool().AppendCertsFromPEM(text) {
			advice = " It is in base64: base64decode() makes PEM of it."
		}
		return cfg.fault(cfg.where("cluster_ca_certificate"), "Invalid certificate", "The cluster CA holds no certificate in PEM form.%s", advice)
	}
	if len(config.CertData) == 0 && len(config.KeyData) == 0 {
		return nil
	}
	if _, err := tls.X509KeyPair(config.CertData, config.KeyData); err != nil {
		return cfg.fault(cfg.where("client_certificate"), "Invalid client certificate", "%s.", err)
	}
	block, _ := pem.Decode(config.CertData)
	cert, err := x509.ParseCertificate(block.Bytes) // X509KeyPair has accepted it
	if err != nil {
		return cfg.fault(cfg.where("client_certificate"), "Invalid client certificate", "%s.", err)
	}
	// An hour's tolerance: our clock may be wrong. Within it the server decides.
	if time.Since(cert.NotAfter) > time.Hour {
		return cfg.fault(cfg.where("client_certificate"), "Expired client certificate", "The client certificate of %q for %s expired at %s.",
			cert.Subject.CommonName, config.Host, cert.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}

func (cfg *Config) checkExec(config *rest.Config, source string) *ConfigError {
	plugin := config.ExecProvider
	if plugin == nil {
		return nil
	}
	if !slices.Contains(ExecAPIVersions(), plugin.APIVersion) {
		return cfg.fault(cfg.where("exec.api_version"), "Invalid exec plugin", "%s: the plugin's API version is %q; it must be one of %s.",
			source, plugin.APIVersion, strings.Join(ExecAPIVersions(), ", "))
	}
	if plugin.InteractiveMode == clientcmdapi.AlwaysExecInteractiveMode {
		return cfg.fault(cfg.where("exec.command"), "Interactive exec plugin", "%s: the plugin %q wants a terminal, which it does not get here.", source, plugin.Command)
	}
	command, err := expand(plugin.Command)
	if err == nil {
		command, err = exec.LookPath(command)
	}
	if err != nil {
		detail := fmt.Sprintf("%s: %s.", source, err)
		if plugin.InstallHint != "" {
			detail += "\n" + plugin.InstallHint
		}
		return cfg.fault(cfg.where("exec.command"), "Missing exec plugin", "%s", detail)
	}
	plugin.Command = command
	return nil
}

// expand replaces a leading "~" by the home directory.
func expand(path string) (string, error) {
	if path != "~" && !strings.HasPrefix(path, "~/") {
		return path, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, path[1:]), nil
}
