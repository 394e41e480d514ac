package cluster

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
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
	Insecure             bool
	TLSServerName        string
	ProxyURL             string
	Exec                 *Exec

	ExpectedUID string // of the kube-system namespace

	Listener func(Request) // is told of every request, from any goroutine; nil: nobody
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

// where is attribute if the user set it, else the attribute that the value
// came from.
func (cfg *Config) where(attribute string) string {
	set := map[string]bool{
		"host": cfg.Host != "", "client_certificate": cfg.ClientCertificate != "", "client_key": cfg.ClientKey != "",
		"cluster_ca_certificate": cfg.ClusterCACertificate != "", "exec.command": cfg.Exec != nil, "exec.api_version": cfg.Exec != nil,
		"proxy_url": cfg.ProxyURL != "",
	}
	switch {
	case set[attribute]:
		return attribute
	case len(cfg.ConfigPaths) > 0:
		return "config_paths"
	case cfg.ConfigPath != "":
		return "config_path"
	}
	return attribute
}

func (cfg *Config) fault(attribute, summary, format string, args ...any) *ConfigError {
	return &ConfigError{cfg.Name, attribute, summary, fmt.Sprintf(format, args...)}
}

// rest makes client-go's configuration, and says where it comes from.
func (cfg *Config) rest() (*rest.Config, string, error) {
	if err := cfg.check(); err != nil {
		return nil, "", err
	}
	kubeconfig, source, err := cfg.load()
	if err != nil {
		return nil, "", err
	}
	config, err := clientcmd.NewDefaultClientConfig(*kubeconfig, cfg.overrides()).ClientConfig()
	if err != nil {
		return nil, "", cfg.fault(cfg.where(""), "Invalid connection", "%s: %s.", source, err)
	}
	config.UserAgent = cfg.UserAgent
	if config.AuthProvider != nil {
		return nil, "", cfg.fault(cfg.where("exec.command"), "Unsupported credential",
			"%s uses the auth-provider %q, which Kubernetes clients no longer support. Use an exec plugin.", source, config.AuthProvider.Name)
	}
	if cfg.Token != "" || cfg.ClientCertificate != "" {
		config.ExecProvider = nil // what the user spelled out wins over the kubeconfig's plugin
	}
	if cfg.Token != "" {
		config.BearerTokenFile = ""
	}
	return config, source, firstOf(cfg.checkHost(config), cfg.checkTLS(config), cfg.checkExec(config, source))
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

// check finds what is wrong with the attributes alone.
func (cfg *Config) check() error {
	switch {
	case cfg.ConfigPath == "" && len(cfg.ConfigPaths) == 0 && cfg.Host == "":
		for attribute, set := range map[string]bool{
			"config_context": cfg.ConfigContext != "", "config_context_cluster": cfg.ConfigContextCluster != "", "config_context_auth_info": cfg.ConfigContextAuthInfo != "",
		} {
			if set {
				return cfg.fault(attribute, "No kubeconfig", "%s names a part of a kubeconfig, but neither config_path nor config_paths says which file. "+
					"No default is assumed.", attribute)
			}
		}
		return cfg.fault("", "No connection", "Set config_path (with config_context), or host and a credential. "+
			"No default is assumed: neither localhost nor ~/.kube/config nor a service account.")
	case cfg.ConfigPath != "" && len(cfg.ConfigPaths) > 0:
		return cfg.fault("config_paths", "Conflicting attributes", "Set either config_path or config_paths.")
	case cfg.Insecure && cfg.ClusterCACertificate != "":
		return cfg.fault("insecure", "Conflicting attributes", "insecure = true would leave the certificate unchecked that cluster_ca_certificate is there to check. Remove one of them.")
	case (cfg.ClientCertificate == "") != (cfg.ClientKey == ""):
		attribute := "client_certificate"
		if cfg.ClientKey != "" {
			attribute = "client_key"
		}
		return cfg.fault(attribute, "Incomplete credential", "client_certificate and client_key belong together: set both.")
	case cfg.ProxyURL != "" && !isURL(cfg.ProxyURL, "http", "https", "socks5"):
		return cfg.fault("proxy_url", "Invalid proxy URL", "It must be the URL of a proxy that begins with http://, https:// or socks5://.")
	case cfg.Token != "" && cfg.Exec != nil:
		return cfg.fault("token", "Conflicting attributes", "Set either token or exec.")
	}
	return nil
}

// load reads the kubeconfigs that the user named, and no others.
func (cfg *Config) load() (*clientcmdapi.Config, string, error) {
	paths, attribute := cfg.ConfigPaths, "config_paths"
	if cfg.ConfigPath != "" {
		paths, attribute = []string{cfg.ConfigPath}, "config_path"
	}
	if len(paths) == 0 {
		return clientcmdapi.NewConfig(), "attribute host", nil
	}
	var expanded []string
	for _, path := range paths {
		file, err := expand(path)
		if err == nil {
			var f *os.File
			if f, err = os.Open(file); err == nil {
				err = f.Close()
			}
		}
		if err != nil {
			summary := "Unreadable kubeconfig"
			if errors.Is(err, os.ErrNotExist) {
				summary = "Kubeconfig not found"
			}
			return nil, "", cfg.fault(attribute, summary, "%s.", err)
		}
		if _, err := clientcmd.LoadFromFile(file); err != nil {
			return nil, "", cfg.fault(attribute, "Invalid kubeconfig", "%s: %s.", path, err)
		}
		expanded = append(expanded, file)
	}
	merged, err := (&clientcmd.ClientConfigLoadingRules{Precedence: expanded}).Load()
	if err != nil {
		return nil, "", cfg.fault(attribute, "Invalid kubeconfig", "%s.", err)
	}
	source := "kubeconfig " + strings.Join(paths, ", ")
	return merged, source + cfg.contextWords(merged), firstOf(cfg.checkNames(merged, source))
}

func (cfg *Config) contextWords(merged *clientcmdapi.Config) string {
	if name := cmp.Or(cfg.ConfigContext, merged.CurrentContext); name != "" {
		return fmt.Sprintf(", context %q", name)
	}
	return ""
}

// checkNames says which names exist where the one asked for does not.
func (cfg *Config) checkNames(merged *clientcmdapi.Config, source string) *ConfigError {
	missing := func(attribute, what, name string, have []string) *ConfigError {
		list := "It has none."
		if slices.Sort(have); len(have) > 0 {
			list = "It has: " + strings.Join(have, ", ") + "."
		}
		return cfg.fault(attribute, "No such "+what, "%s has no %s %q. %s", source, what, name, list)
	}
	contexts := slices.Collect(maps.Keys(merged.Contexts))
	switch name := cmp.Or(cfg.ConfigContext, merged.CurrentContext); {
	case name == "" && cfg.ConfigContextCluster == "" && cfg.Host == "":
		slices.Sort(contexts)
		return cfg.fault(cfg.where(""), "No context", "%s has no current context: set config_context. It has: %s.", source, strings.Join(contexts, ", "))
	case name != "" && merged.Contexts[name] == nil && cfg.ConfigContext != "":
		return missing("config_context", "context", name, contexts)
	case name != "" && merged.Contexts[name] == nil && (cfg.ConfigContextCluster == "" && cfg.Host == ""):
		return missing(cfg.where(""), "context", name, contexts)
	}
	if n := cfg.ConfigContextCluster; n != "" && merged.Clusters[n] == nil {
		return missing("config_context_cluster", "cluster", n, slices.Collect(maps.Keys(merged.Clusters)))
	}
	if n := cfg.ConfigContextAuthInfo; n != "" && merged.AuthInfos[n] == nil {
		return missing("config_context_auth_info", "user", n, slices.Collect(maps.Keys(merged.AuthInfos)))
	}
	return nil
}

func (cfg *Config) overrides() *clientcmd.ConfigOverrides {
	o := &clientcmd.ConfigOverrides{
		CurrentContext: cfg.ConfigContext,
		Context:        clientcmdapi.Context{Cluster: cfg.ConfigContextCluster, AuthInfo: cfg.ConfigContextAuthInfo},
		ClusterInfo: clientcmdapi.Cluster{
			Server: cfg.Host, TLSServerName: cfg.TLSServerName, InsecureSkipTLSVerify: cfg.Insecure,
			CertificateAuthorityData: []byte(cfg.ClusterCACertificate), ProxyURL: cfg.ProxyURL,
		},
		AuthInfo: clientcmdapi.AuthInfo{
			Token: cfg.Token, ClientCertificateData: []byte(cfg.ClientCertificate), ClientKeyData: []byte(cfg.ClientKey),
		},
	}
	if cfg.Exec != nil {
		o.AuthInfo.Exec = &clientcmdapi.ExecConfig{
			APIVersion: cfg.Exec.APIVersion, Command: cfg.Exec.Command, Args: cfg.Exec.Args, InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
		}
		for _, name := range slices.Sorted(maps.Keys(cfg.Exec.Env)) {
			o.AuthInfo.Exec.Env = append(o.AuthInfo.Exec.Env, clientcmdapi.ExecEnvVar{Name: name, Value: cfg.Exec.Env[name]})
		}
	}
	return o
}

func (cfg *Config) checkHost(config *rest.Config) *ConfigError {
	if u, err := url.Parse(config.Host); err == nil && u.User != nil {
		return cfg.fault(cfg.where("host"), "Credential in the host", "The host must not hold a user or password: it is shown in messages. Use token or exec.")
	}
	if !isURL(config.Host, "https", "http") {
		return cfg.fault(cfg.where("host"), "Invalid host", "%q is not the URL of an API server: it must look like https://host:6443.", config.Host)
	}
	if strings.HasPrefix(config.Host, "http:") && (config.BearerToken != "" || cfg.Token != "" || cfg.ClientKey != "" || cfg.Exec != nil) {
		return cfg.fault(cfg.where("host"), "Unencrypted host", "%s would carry the credential in clear text. Use https.", config.Host)
	}
	return nil
}

func isURL(s string, schemes ...string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && slices.Contains(schemes, u.Scheme)
}

func (cfg *Config) checkTLS(config *rest.Config) *ConfigError {
	if err := rest.LoadTLSFiles(config); err != nil {
		return cfg.fault(cfg.where(""), "Unreadable certificate", "%s.", err)
	}
	if ca := config.CAData; len(ca) > 0 && !x509.NewCertPool().AppendCertsFromPEM(ca) {
		return cfg.fault(cfg.where("cluster_ca_certificate"), "Invalid certificate", "The cluster CA holds no certificate in PEM form.")
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
		return cfg.fault(cfg.where("exec.command"), "Interactive exec plugin", "%s: the plugin %q wants a terminal, which Terraform does not have.", source, plugin.Command)
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
