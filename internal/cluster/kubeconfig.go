package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// load reads the kubeconfigs that the user named, and no others.
func (cfg *Config) load() (*clientcmdapi.Config, string, error) {
	paths, attribute := cfg.ConfigPaths, "config_paths"
	if cfg.ConfigPath != "" {
		paths, attribute = []string{cfg.ConfigPath}, "config_path"
	}
	if len(paths) == 0 {
		return clientcmdapi.NewConfig(), cfg.sourceWithoutFile(), nil
	}
	var expanded []string
	for _, path := range paths {
		file, err := expand(path)
		if err == nil {
			err = regular(file)
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
	words := source
	if name := cfg.contextName(merged); name != "" {
		words += fmt.Sprintf(", context %q", name)
	}
	return merged, words + with(cfg.spelledOut()), firstOf(cfg.checkNames(merged, source))
}

// sourceWithoutFile says where a connection comes from that has no kubeconfig.
func (cfg *Config) sourceWithoutFile() string {
	host := "attribute host"
	if variable := cfg.variables["host"]; variable != "" {
		host = "environment variable " + variable
	}
	return host + with(cfg.spelledOut()[1:]) // the first one is the host
}

// with is what else a connection comes from, as the end of a sentence has it.
func with(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return ", with " + strings.Join(names, " and ")
}

var errNotRegular = errors.New("it is no regular file")

// regular says why a file cannot be read. It opens regular files alone: opening
// a FIFO waits for somebody to write.
func regular(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &fs.PathError{Op: "read", Path: path, Err: errNotRegular}
	}
	f, err := os.Open(path) //nolint:gosec // the user names it
	if err != nil {
		return err
	}
	return f.Close()
}

func (cfg *Config) contextName(merged *clientcmdapi.Config) string {
	if cfg.ConfigContext != "" {
		return cfg.ConfigContext
	}
	return merged.CurrentContext
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
	switch name := cfg.contextName(merged); {
	case name == "" && cfg.ConfigContextCluster == "" && cfg.Host == "":
		slices.Sort(contexts)
		return cfg.fault(cfg.where(""), "No context", "%s has no current context: set config_context. It has: %s.", source, strings.Join(contexts, ", "))
	case name != "" && merged.Contexts[name] == nil && cfg.ConfigContext != "":
		return missing("config_context", "context", name, contexts)
	case name != "" && merged.Contexts[name] == nil && (cfg.ConfigContextCluster == "" && cfg.Host == ""):
		return missing(cfg.where(""), "context", name, contexts)
	}
	named := func(attribute, own string) string {
		if own != "" {
			return attribute
		}
		return cfg.where("")
	}
	context, _ := cfg.context(merged)
	if n := context.Cluster; n != "" && merged.Clusters[n] == nil && (cfg.ConfigContextCluster != "" || cfg.Host == "") {
		return missing(named("config_context_cluster", cfg.ConfigContextCluster), "cluster", n, slices.Collect(maps.Keys(merged.Clusters)))
	}
	// Without this, who has a typo there is nobody: system:anonymous.
	if n := context.AuthInfo; n != "" && merged.AuthInfos[n] == nil && (cfg.ConfigContextAuthInfo != "" || !cfg.answered(identity)) {
		return missing(named("config_context_auth_info", cfg.ConfigContextAuthInfo), "user", n, slices.Collect(maps.Keys(merged.AuthInfos)))
	}
	return nil
}
