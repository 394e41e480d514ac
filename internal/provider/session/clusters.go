package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// Clusters are the provider's connections, by the names that users gave them.
// They connect at their first use.
type Clusters struct {
	// allUnknown: not even the names are known yet.
	allUnknown bool
	byName     map[string]*engineCluster // nil: not known yet
	unknown    map[string][]string       // the attributes that are not, by cluster
}

// engineCluster makes a connection fit the engine's interface, whose View is
// an interface too.
type engineCluster struct {
	*cluster.Cluster
}

var _ rollout.Cluster = engineCluster{}

// View is the cluster's shared cache of a namespace.
func (c engineCluster) View(namespace string) rollout.View { return c.Cluster.View(namespace) }

// Tell puts an Event on an object, for those who follow with kubectl.
func (c engineCluster) Emit(ctx context.Context, regarding rollout.Object, reason release.EventReason, note string, warning bool) {
	kind := cluster.EventNormal
	if warning {
		kind = cluster.EventWarning
	}
	c.Cluster.Emit(ctx, regarding.GetNamespace(), regarding, string(reason), note, kind)
}

// NewClusters has no cluster yet. allUnknown says that not even the names are known.
func NewClusters(allUnknown bool) *Clusters {
	return &Clusters{allUnknown: allUnknown, byName: map[string]*engineCluster{}, unknown: map[string][]string{}}
}

// Add checks one cluster's connection; it makes no request.
func (c *Clusters) Add(s Settings, userAgent string) diag.Diagnostics {
	var diags diag.Diagnostics
	name := s.Config.Name
	if s.Config.Insecure != nil && *s.Config.Insecure {
		at := s.attributePath("insecure")
		diags.Append(warnInsecure(at, name))
	}
	if len(s.Unknown) > 0 {
		c.byName[name], c.unknown[name] = nil, s.Unknown
		return diags
	}
	s.Config.UserAgent = userAgent
	connection, err := cluster.New(s.Config)
	var fault *cluster.ConfigError
	switch {
	case err == nil:
		c.byName[name] = &engineCluster{connection}
	case errors.As(err, &fault):
		diags.Append(ConfigDiagnostic(&s, fault))
	default:
		diags.AddError("Invalid connection", explain.Sentence(err.Error()))
	}
	return diags
}

// ConfigDiagnostic puts a fault on the attribute that it is about.
func ConfigDiagnostic(s *Settings, fault *cluster.ConfigError) diag.Diagnostic {
	detail := fmt.Sprintf("Cluster %q: %s", fault.Cluster, fault.Detail)
	if fault.Variable != "" {
		return diag.NewErrorDiagnostic(fault.Summary, detail+"\n\n"+fault.Attribute+" comes from the environment variable "+fault.Variable+".")
	}
	at := s.At
	if fault.Attribute != "" {
		at = s.attributePath(strings.Split(fault.Attribute, ".")...)
	}
	if at.Equal(path.Empty()) {
		return diag.NewErrorDiagnostic(fault.Summary, detail)
	}
	return diag.NewAttributeErrorDiagnostic(at, fault.Summary, detail)
}

// Close ends all connections. Nothing can be asked afterwards.
func (c *Clusters) Close() {
	for _, one := range c.byName {
		if one != nil {
			one.Close()
		}
	}
}

// Names are the configured clusters, sorted; none where not even their names
// are known yet.
func (c *Clusters) Names() []string { return slices.Sorted(maps.Keys(c.byName)) }

// Resolve is what a resource means by its clusters attribute: the names in it,
// or the only configured cluster where it has none. Known is false where the
// only answer is "not known yet".
func (c *Clusters) Resolve(names []string) (resolved []string, known bool, diags diag.Diagnostics) {
	configured := c.Names()
	resolved = slices.Compact(slices.Sorted(slices.Values(names)))
	switch {
	case c.allUnknown:
		return resolved, len(names) > 0, diags
	case len(names) == 0 && len(configured) == 1:
		return configured, true, diags
	case len(names) == 0:
		diags.Append(noDefaultCluster(path.Root("clusters"), configured))
		return nil, true, diags
	}
	for _, name := range resolved {
		if _, ok := c.byName[name]; !ok {
			diags.Append(unknownCluster(path.Root("clusters"), name, configured))
		}
	}
	return resolved, true, diags
}

// Known says whether a cluster's connection is known. It is not while it
// depends on something that this apply makes.
func (c *Clusters) Known(name string) bool { return c.byName[name] != nil }

// Get are the connections of these clusters, in the order of their names; no
// names mean the only one. It connects to nothing.
func (c *Clusters) Get(names []string) ([]rollout.Cluster, diag.Diagnostics) {
	resolved, _, diags := c.Resolve(names)
	if diags.HasError() {
		return nil, diags
	}
	at := path.Root("clusters")
	if len(resolved) == 0 { // all unknown
		diags.AddAttributeError(at, "Clusters are not known yet",
			"The provider's clusters depend on values that are not known yet. They must be known when this resource is read or applied.")
	}
	var found []rollout.Cluster
	for _, name := range resolved {
		connection := c.byName[name]
		if connection == nil {
			diags.AddAttributeError(at, "Cluster is not known yet", c.whyUnknown(name))
			continue
		}
		found = append(found, *connection)
	}
	return found, diags
}

// whyUnknown names the attributes that a cluster waits for.
func (c *Clusters) whyUnknown(name string) string {
	waits := "its connection"
	if attributes := c.unknown[name]; len(attributes) > 0 && attributes[0] != "" {
		waits = strings.Join(attributes, ", ")
	}
	return fmt.Sprintf("The connection to cluster %q depends on values that are not known yet (%s). "+
		"They must be known when this resource is applied: let what makes them be applied first.", name, waits)
}

// Connection is one configured cluster's connection for what the engine's
// interface does not have (preflight, Events); nil where it is not known.
func (c *Clusters) Connection(name string) *cluster.Cluster {
	if e := c.byName[name]; e != nil {
		return e.Cluster
	}
	return nil
}

// warnInsecure says what insecure gives up.
func warnInsecure(at path.Path, name string) diag.Diagnostic {
	return diag.NewAttributeWarningDiagnostic(at, "Certificate of the API server is not checked",
		"With insecure = true, anyone between here and cluster \""+name+"\" can read the credential and answer in its place. "+
			"Set cluster_ca_certificate instead.")
}

// Settings is one configured cluster: where its attributes stand, and
// what they say once that is known.
type Settings struct {
	At      path.Path // path.Empty() for the top level
	Unknown []string  // attributes that are not known yet; "" is the whole object
	Config  cluster.Config
}

// attributePath is where an attribute ("exec.command") of the cluster stands.
func (s *Settings) attributePath(steps ...string) path.Path {
	at := s.At
	for _, step := range steps {
		if at.Equal(path.Empty()) {
			at = path.Root(step)
		} else {
			at = at.AtName(step)
		}
	}
	return at
}
