package cluster

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// A connection's settings come from three places, the nearest first: the
// attribute, its own environment variable, the kubeconfig. This file says so in
// one table, and reads nothing but what it is given.
//
// Some settings answer one question together (topic). Whatever a nearer place
// says of such a question is the whole answer: a token displaces the client
// certificate, the exec plugin and the impersonation of the kubeconfig's user.

// topic is the question that a setting answers, together with others.
type topic int

const (
	alone    topic = iota
	files          // which kubeconfigs
	trust          // how the API server's certificate is checked
	identity       // who we are
)

// setting is one row of the table.
type setting struct {
	attribute, variable string
	topic               topic
	half                string                // the other half of a pair, which may come from another place
	text                func(*Config) *string // nil: not a string
	trim                func(string) string   // nil: taken as it is
}

// finalNewline is what a file has and a password has not.
func finalNewline(s string) string { return strings.TrimRight(s, "\r\n") }

var settings = []setting{
	{"config_path", "KUBE_CONFIG_PATH", files, "", func(c *Config) *string { return &c.ConfigPath }, nil},
	{"config_paths", "KUBE_CONFIG_PATHS", files, "", nil, nil}, // as in hashicorp/kubernetes, for want of the single path
	{"config_context", "KUBE_CTX", alone, "", func(c *Config) *string { return &c.ConfigContext }, nil},
	{"config_context_cluster", "KUBE_CTX_CLUSTER", alone, "", func(c *Config) *string { return &c.ConfigContextCluster }, nil},
	{"config_context_auth_info", "KUBE_CTX_AUTH_INFO", alone, "", func(c *Config) *string { return &c.ConfigContextAuthInfo }, nil},
	{"host", "KUBE_HOST", alone, "", func(c *Config) *string { return &c.Host }, strings.TrimSpace},
	{"tls_server_name", "KUBE_TLS_SERVER_NAME", alone, "", func(c *Config) *string { return &c.TLSServerName }, strings.TrimSpace},
	{"proxy_url", "KUBE_PROXY_URL", alone, "", func(c *Config) *string { return &c.ProxyURL }, strings.TrimSpace},
	{"cluster_ca_certificate", "KUBE_CLUSTER_CA_CERT_DATA", trust, "", func(c *Config) *string { return &c.ClusterCACertificate }, strings.TrimSpace},
	{"insecure", "KUBE_INSECURE", trust, "", nil, nil},
	{"token", "KUBE_TOKEN", identity, "", func(c *Config) *string { return &c.Token }, strings.TrimSpace},
	{"client_certificate", "KUBE_CLIENT_CERT_DATA", identity, "client_key", func(c *Config) *string { return &c.ClientCertificate }, strings.TrimSpace},
	{"client_key", "KUBE_CLIENT_KEY_DATA", identity, "client_certificate", func(c *Config) *string { return &c.ClientKey }, strings.TrimSpace},
	{"username", "KUBE_USER", identity, "password", func(c *Config) *string { return &c.Username }, strings.TrimSpace},
	{"password", "KUBE_PASSWORD", identity, "username", func(c *Config) *string { return &c.Password }, finalNewline},
	{"exec", "", identity, "", nil, nil},
	{"expected_uid", "", alone, "", func(c *Config) *string { return &c.ExpectedUID }, strings.TrimSpace},
}

// Variables are the environment variables, by the attribute that each stands
// for. Their names are those of hashicorp/kubernetes.
func Variables() map[string]string {
	all := map[string]string{}
	for _, s := range settings {
		if s.variable != "" {
			all[s.attribute] = s.variable
		}
	}
	return all
}

// said tells whether cfg has the setting.
func (s setting) said(cfg *Config) bool {
	switch {
	case s.text != nil:
		return *s.text(cfg) != ""
	case s.attribute == "config_paths":
		return len(cfg.ConfigPaths) > 0
	case s.attribute == "insecure":
		return cfg.Insecure != nil
	default:
		return cfg.Exec != nil
	}
}

// answered tells whether cfg answers a topic. That a certificate is checked says
// nothing of what it is checked with.
func (cfg *Config) answered(t topic) bool {
	return slices.ContainsFunc(settings, func(s setting) bool {
		return t != alone && s.topic == t && s.said(cfg) && (s.attribute != "insecure" || *cfg.Insecure)
	})
}

// says tells whether cfg has the setting of an attribute.
func (cfg *Config) says(attribute string) bool {
	return slices.ContainsFunc(settings, func(s setting) bool { return s.attribute == attribute && s.said(cfg) })
}

func (s setting) take(cfg *Config, value string) error {
	switch {
	case s.text != nil:
		*s.text(cfg) = value
	case s.attribute == "config_paths":
		cfg.ConfigPaths = slices.DeleteFunc(filepath.SplitList(value), func(path string) bool { return path == "" })
	default:
		insecure, err := strconv.ParseBool(strings.TrimSpace(value))
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", value)
		}
		cfg.Insecure = &insecure
	}
	return nil
}

// WithEnvironment takes what cfg does not say from the environment, each
// attribute from its own variable. The error is a *ConfigError.
func (cfg Config) WithEnvironment(getenv func(string) string) (Config, error) {
	said := map[topic]bool{}
	for _, s := range settings {
		said[s.topic] = cfg.answered(s.topic)
	}
	halves := map[string]bool{}
	for _, s := range settings {
		halves[s.half] = halves[s.half] || s.half != "" && s.said(&cfg)
	}
	cfg.variables = map[string]string{}
	for _, s := range settings {
		if s.variable == "" || s.said(&cfg) || said[s.topic] && !halves[s.attribute] {
			continue
		}
		value := getenv(s.variable)
		if strings.TrimSpace(value) == "" {
			continue
		}
		cfg.variables[s.attribute] = s.variable
		if err := s.take(&cfg, value); err != nil {
			fault := cfg.fault(s.attribute, "Invalid environment variable", "%s: %s.", s.variable, err)
			return cfg, fault
		}
		said[files] = said[files] || s.topic == files
	}
	return cfg, nil
}

// Empty says that cfg leads to no cluster, and that no attribute was meant to.
func (cfg Config) Empty() bool {
	return !slices.ContainsFunc(settings, func(s setting) bool {
		leads := s.topic == files || s.attribute == "host"
		return s.said(&cfg) && s.attribute != "expected_uid" && (leads || cfg.variables[s.attribute] == "")
	})
}

// trim takes the white space off that files and variables have at their ends.
func (cfg *Config) trim() {
	for _, s := range settings {
		if s.trim != nil {
			value := s.text(cfg)
			*value = s.trim(*value)
		}
	}
}

// over lays what cfg spells out over a kubeconfig. The result has one context,
// one cluster and one user.
func (cfg *Config) over(kubeconfig *clientcmdapi.Config) *clientcmdapi.Config {
	context, name := cfg.context(kubeconfig)
	effective := clientcmdapi.NewConfig()
	server, user := clientcmdapi.NewCluster(), clientcmdapi.NewAuthInfo()
	if found := kubeconfig.Clusters[context.Cluster]; found != nil {
		server = found.DeepCopy()
	}
	cfg.overServer(server)
	if own := cfg.user(); own != nil {
		user = own
	} else if found := kubeconfig.AuthInfos[context.AuthInfo]; found != nil {
		user = found.DeepCopy()
		user.Token = strings.TrimSpace(user.Token)
	}
	effective.Clusters[context.Cluster], effective.AuthInfos[context.AuthInfo] = server, user
	effective.Contexts[name], effective.CurrentContext = &context, name
	return effective
}

// context is the kubeconfig's context, with the cluster and the user that are
// named in place of its own.
func (cfg *Config) context(kubeconfig *clientcmdapi.Config) (clientcmdapi.Context, string) {
	name := kubeconfig.CurrentContext
	if cfg.ConfigContext != "" {
		name = cfg.ConfigContext
	}
	var context clientcmdapi.Context
	if found := kubeconfig.Contexts[name]; found != nil {
		context = *found.DeepCopy()
	}
	if cfg.ConfigContextCluster != "" {
		context.Cluster = cfg.ConfigContextCluster
	}
	if cfg.ConfigContextAuthInfo != "" {
		context.AuthInfo = cfg.ConfigContextAuthInfo
	}
	if name == "" {
		name = cfg.Name
	}
	return context, name
}

func (cfg *Config) overServer(server *clientcmdapi.Cluster) {
	for to, value := range map[*string]string{&server.Server: cfg.Host, &server.TLSServerName: cfg.TLSServerName, &server.ProxyURL: cfg.ProxyURL} {
		if value != "" {
			*to = value
		}
	}
	if cfg.answered(trust) {
		server.CertificateAuthority, server.CertificateAuthorityData = "", nil
		server.InsecureSkipTLSVerify = false
	}
	if cfg.Insecure != nil {
		server.InsecureSkipTLSVerify = *cfg.Insecure
	}
	if cfg.ClusterCACertificate != "" {
		server.CertificateAuthorityData = []byte(cfg.ClusterCACertificate)
	}
}

// user is who we are by what is spelled out; nil where nothing is.
func (cfg *Config) user() *clientcmdapi.AuthInfo {
	if !cfg.answered(identity) {
		return nil
	}
	user := clientcmdapi.NewAuthInfo()
	user.Token, user.Username, user.Password = cfg.Token, cfg.Username, cfg.Password
	user.ClientCertificateData, user.ClientKeyData = []byte(cfg.ClientCertificate), []byte(cfg.ClientKey)
	if cfg.Exec == nil {
		return user
	}
	user.Exec = &clientcmdapi.ExecConfig{
		APIVersion: cfg.Exec.APIVersion, Command: cfg.Exec.Command, Args: cfg.Exec.Args, InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Exec.Env)) {
		user.Exec.Env = append(user.Exec.Env, clientcmdapi.ExecEnvVar{Name: name, Value: cfg.Exec.Env[name]})
	}
	return user
}

// spelledOut names what is laid over a kubeconfig's host and user, the host first: the
// attribute, or the variable that it came from.
func (cfg *Config) spelledOut() []string {
	var names []string
	for _, s := range settings {
		if s.said(cfg) && (s.attribute == "host" || s.topic == identity) {
			name := s.attribute
			if variable := cfg.variables[name]; variable != "" {
				name = variable
			}
			names = append(names, name)
		}
	}
	return names
}

// check finds what is wrong with what is spelled out alone.
func (cfg *Config) check() error {
	switch {
	case len(cfg.Blank) > 0:
		return cfg.fault(cfg.Blank[0], "Empty credential", "%s is set, and there is nothing in it: an empty file or variable, perhaps. "+
			"Without it, this would act as the kubeconfig's own user, or as nobody. Leave it out, or set it to null, where that is meant.", cfg.Blank[0])
	case cfg.ConfigPath == "" && len(cfg.ConfigPaths) == 0 && cfg.Host == "":
		for _, attribute := range []string{"config_context", "config_context_cluster", "config_context_auth_info"} {
			if cfg.says(attribute) {
				return cfg.fault(attribute, "No kubeconfig", "%s names a part of a kubeconfig, but neither config_path nor config_paths says which file. "+
					"No default is assumed.", attribute)
			}
		}
		return cfg.fault("", "No connection", "Set config_path (with config_context), or host and a credential. "+
			"No default is assumed: neither localhost nor ~/.kube/config nor a service account.")
	case cfg.ConfigPath != "" && len(cfg.ConfigPaths) > 0:
		return cfg.fault("config_paths", "Conflicting attributes", "Set either config_path or config_paths.")
	case cfg.Insecure != nil && *cfg.Insecure && cfg.ClusterCACertificate != "":
		return cfg.fault("insecure", "Conflicting attributes", "insecure = true would leave the certificate unchecked that cluster_ca_certificate is there to check. Remove one of them.")
	case (cfg.ClientCertificate == "") != (cfg.ClientKey == ""):
		attribute := "client_certificate"
		if cfg.ClientKey != "" {
			attribute = "client_key"
		}
		return cfg.fault(attribute, "Incomplete credential", "client_certificate and client_key belong together: set both.")
	case cfg.Username == "" && cfg.Password != "":
		return cfg.fault("password", "Incomplete credential", "username and password belong together: set both.")
	case cfg.ProxyURL != "" && !isURL(cfg.ProxyURL, "http", "https", "socks5"):
		return cfg.fault("proxy_url", "Invalid proxy URL", "It must be the URL of a proxy that begins with http://, https:// or socks5://.")
	}
	for _, s := range settings {
		if cfg.Exec != nil && s.topic == identity && s.attribute != "exec" && s.said(cfg) {
			return cfg.fault(s.attribute, "Conflicting attributes", "Set either %s or exec.", s.attribute)
		}
	}
	if cfg.Token != "" && cfg.Username != "" {
		return cfg.fault("username", "Conflicting attributes", "Set either token or username and password: both go into the same header.")
	}
	if cfg.Username != "" && cfg.Password == "" {
		return cfg.fault("username", "Incomplete credential", "username and password belong together: set both.")
	}
	return cfg.checkSent()
}

// checkSent finds what cannot be sent. It tells where, and not what: it may be a
// secret.
func (cfg *Config) checkSent() error {
	for _, s := range settings {
		if s.attribute != "token" && s.attribute != "tls_server_name" {
			continue
		}
		if err := sendable(*s.text(cfg)); err != nil {
			return cfg.fault(s.attribute, "Value cannot be sent", "%s cannot be sent: %s. It must be one word%s.", s.attribute, err, alsoOf[s.attribute])
		}
	}
	return nil
}

// alsoOf is what else is often wrong with a value that is no word.
var alsoOf = map[string]string{"token": `, without "Bearer" in front and without a byte order mark`}

// sendable says what keeps a token from standing in a header.
func sendable(token string) error {
	for i, r := range token {
		if r == ' ' || !strconv.IsPrint(r) {
			return fmt.Errorf("it holds %s, after %d of its %d bytes", named(r), i, len(token))
		}
	}
	return nil
}

func named(r rune) string {
	switch r {
	case '\n':
		return "a newline"
	case '\r':
		return "a carriage return"
	case ' ', '\t':
		return "white space"
	}
	return fmt.Sprintf("the character %U", r)
}
