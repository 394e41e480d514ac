package terminal

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// reach is how the clusters are reached: kubectl's flags, and more than one context.
type reach struct {
	flags     *genericclioptions.ConfigFlags
	contexts  []string
	userAgent string
}

func (r *reach) addFlags(root *cobra.Command, version string) {
	r.flags, r.userAgent = genericclioptions.NewConfigFlags(false), "kubectl-switchback/"+version
	r.flags.CacheDir, r.flags.DisableCompression = nil, nil // nothing here has a cache
	r.flags.AddFlags(root.PersistentFlags())
	root.PersistentFlags().StringSliceVar(&r.contexts, "contexts", nil, "Names of several kubeconfig contexts, separated by commas, to look at all of these clusters at once. Each is called by its context's name.")
	_ = root.RegisterFlagCompletionFunc("contexts", r.completeContexts)
	_ = root.RegisterFlagCompletionFunc("context", r.completeContexts)
}

// wired makes a connection fit the engine's interface, whose View is an interface, too.
type wired struct{ *cluster.Cluster }

var _ rollout.Cluster = wired{}

// View is the cluster's shared cache of a namespace.
func (c wired) View(namespace string) rollout.View { return c.Cluster.View(namespace) }

// Emit puts an Event on an object.
func (c wired) Emit(ctx context.Context, regarding rollout.Object, reason release.EventReason, note string, warning bool) {
	kind := cluster.EventNormal
	if warning {
		kind = cluster.EventWarning
	}
	c.Cluster.Emit(ctx, regarding.GetNamespace(), regarding, string(reason), note, kind)
}

// clusters are the connections that the flags lead to, and the namespace that they name.
// They connect at their first use. close ends them.
type clusters struct {
	on        []rollout.Cluster
	namespace string
}

// only are those of these names; nil is all of them.
func (c *clusters) only(names []string) *clusters {
	if names == nil {
		return c
	}
	some := &clusters{namespace: c.namespace}
	for _, one := range c.on {
		if slices.Contains(names, one.Name()) {
			some.on = append(some.on, one)
		}
	}
	return some
}

// close ends all connections.
func (c *clusters) close() {
	for _, one := range c.on {
		one.(wired).Close()
	}
}

// clusters follows kubectl's rules for each of the contexts.
func (r *reach) clusters() (*clusters, error) {
	if len(r.contexts) > 0 && *r.flags.Context != "" {
		return nil, usagef("--context and --contexts exclude each other: name all contexts in --contexts")
	}
	contexts := r.contexts
	if len(contexts) == 0 {
		contexts = []string{*r.flags.Context} // empty: the current one
	}
	c := &clusters{}
	namespaces := map[string]bool{}
	for _, context := range contexts {
		connection, namespace, err := r.connect(context)
		if err != nil {
			c.close()
			return nil, err
		}
		if slices.ContainsFunc(c.on, func(one rollout.Cluster) bool { return one.Name() == connection.Name() }) {
			connection.Close()
			continue // named twice
		}
		c.on, c.namespace = append(c.on, wired{connection}), namespace
		namespaces[namespace] = true
	}
	if len(namespaces) > 1 {
		c.close()
		return nil, usagef("the contexts have different namespaces (%s): name one with --namespace", strings.Join(slices.Sorted(maps.Keys(namespaces)), ", "))
	}
	return c, nil
}

// connect prepares the connection of one context; an empty name is the current one.
func (r *reach) connect(context string) (*cluster.Cluster, string, error) {
	flags := r.of(context)
	loader := flags.ToRawKubeConfigLoader()
	raw, err := loader.RawConfig()
	if err != nil {
		return nil, "", err
	}
	if context == "" {
		context = raw.CurrentContext
	}
	has := "It has none."
	if names := slices.Sorted(maps.Keys(raw.Contexts)); len(names) > 0 {
		has = "It has: " + strings.Join(names, ", ") + "."
	}
	switch named := *flags.APIServer != "" || *flags.ClusterName != ""; {
	case context != "" && raw.Contexts[context] == nil:
		return nil, "", fmt.Errorf("the kubeconfig has no context %q. %s", context, has)
	case context == "" && len(raw.Clusters) > 0 && !named: // else localhost is asked, whatever is there
		return nil, "", fmt.Errorf("the kubeconfig has no current context: name one with --context. %s", has)
	}
	name, source := context, fmt.Sprintf("kubeconfig context %q", context)
	if context == "" {
		name, source = "default", "the command's flags"
	}
	if len(raw.Clusters) == 0 && *flags.APIServer == "" {
		if err := inPod(); err != nil {
			return nil, "", err
		}
		name, source = "in-cluster", "the service account of this pod"
	}
	config, err := flags.ToRESTConfig()
	if err != nil {
		return nil, "", err
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, "", err
	}
	connection, err := cluster.NewResolved(cluster.Config{Name: name, UserAgent: r.userAgent}, config, source)
	return connection, namespace, err
}

// accountToken is where Kubernetes puts the token of a pod's service account.
const accountToken = "/var/run/secrets/kubernetes.io/serviceaccount/token"

// inPod makes sure that Kubernetes has started this process, has said where it is, and has
// given it a token: else localhost is asked, whatever is there.
func inPod() error {
	const none, set = "no cluster is named: there is no kubeconfig, or nothing in it", "set --kubeconfig, the environment variable KUBECONFIG, or --server"
	if os.Getenv("KUBERNETES_SERVICE_HOST") == "" || os.Getenv("KUBERNETES_SERVICE_PORT") == "" {
		return fmt.Errorf("%s: %s", none, set)
	}
	if _, err := os.Stat(accountToken); err != nil {
		return fmt.Errorf("%s, and this pod has no token of a service account: %w. Let the pod have one (automountServiceAccountToken, serviceAccountName), or %s", none, err, set)
	}
	return nil
}

// of are the flags, for one context.
func (r *reach) of(context string) *genericclioptions.ConfigFlags {
	f, one := r.flags, genericclioptions.NewConfigFlags(false)
	one.KubeConfig, one.ClusterName, one.AuthInfoName, one.Namespace = f.KubeConfig, f.ClusterName, f.AuthInfoName, f.Namespace
	one.APIServer, one.TLSServerName, one.Insecure, one.CAFile = f.APIServer, f.TLSServerName, f.Insecure, f.CAFile
	one.CertFile, one.KeyFile, one.BearerToken = f.CertFile, f.KeyFile, f.BearerToken
	one.Impersonate, one.ImpersonateUID, one.ImpersonateGroup, one.ImpersonateUserExtra = f.Impersonate, f.ImpersonateUID, f.ImpersonateGroup, f.ImpersonateUserExtra
	one.Timeout, one.Context = f.Timeout, &context
	return one
}

// within bounds a command that looks once, where --request-timeout says so. A cluster
// that does not answer is given up within seconds in any case.
func (r *reach) within(ctx context.Context) (context.Context, context.CancelFunc, error) {
	text := *r.flags.Timeout
	if text == "" || text == "0" {
		ctx, cancel := context.WithCancel(ctx)
		return ctx, cancel, nil
	}
	limit, err := time.ParseDuration(text)
	if seconds, none := time.ParseDuration(text + "s"); err != nil && none == nil {
		limit, err = seconds, nil // kubectl takes a bare number
	}
	if err != nil || limit < 0 {
		return nil, nil, usagef("--request-timeout %q is no duration: say it as 5s or 2m", text)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("there was no answer within --request-timeout %s", text))
	return ctx, cancel, nil
}

// completeContexts offers the kubeconfig's contexts.
func (r *reach) completeContexts(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	raw, err := r.of("").ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	before := typed[:strings.LastIndexByte(typed, ',')+1]
	var names []string
	for _, name := range slices.Sorted(maps.Keys(raw.Contexts)) {
		if strings.HasPrefix(before+name, typed) {
			names = append(names, before+name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
