package cluster

import (
	"strings"

	"k8s.io/client-go/rest"
)

// NewResolved prepares a connection that kubectl's own rules have led to: its flags,
// $KUBECONFIG, ~/.kube/config, or the service account of the pod that it runs in. source
// says in words which of these it was. The provider has no part in such rules: see New.
// Of cfg, the name, the user agent and the listener count. Errors are *ConfigError.
func NewResolved(cfg Config, config *rest.Config, source string) (*Cluster, error) {
	config = rest.CopyConfig(config)
	config.UserAgent = cfg.UserAgent
	config.BearerToken = strings.TrimSpace(config.BearerToken)
	config.Timeout = 0 // of a whole request: it would end watches
	if err := firstOf(cfg.checkEncrypted(config, source), cfg.checkToken(config, source), cfg.checkTLS(config), cfg.checkExec(config, source)); err != nil {
		return nil, err
	}
	return cfg.connect(config, source)
}

// checkEncrypted is checkHost for a host that is known to be one.
func (cfg *Config) checkEncrypted(config *rest.Config, source string) *ConfigError {
	switch {
	case config.AuthProvider != nil:
		return cfg.fault("", "Unsupported credential", "%s uses the auth-provider %q, which Kubernetes clients no longer support. Use an exec plugin.", source, config.AuthProvider.Name)
	case strings.HasPrefix(strings.ToLower(config.Host), "http:") && !anonymous(config):
		return cfg.fault("host", "Unencrypted host", "%s: %s would carry the credential in clear text. Use https.", source, config.Host)
	}
	return nil
}
