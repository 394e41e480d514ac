package cluster

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/switchback-dev/terraform-provider-switchback/internal/externaldns"
)

// Feature is something we do in a namespace, with the permissions it takes.
type Feature string

// Features.
const (
	FeatureRefresh   Feature = "refresh"
	FeatureDeploy    Feature = "deploy"
	FeatureAutoscale Feature = "autoscale" // where a release asks for it
	FeatureDisrupt   Feature = "disrupt"   // where a release has several pods
	FeaturePromote   Feature = "promote"
	FeatureAdopt     Feature = "adopt"
	FeatureDNS       Feature = "dns"        // where external-dns is asked for records
	FeatureHTTPRoute Feature = "http_route" // where an address, or a release for itself, has one
	FeatureGRPCRoute Feature = "grpc_route"
	FeatureTCPRoute  Feature = "tcp_route"
	// The same, of which a rule is adopted.
	FeatureAdoptHTTPRoute Feature = "adopted_http_route"
	FeatureAdoptGRPCRoute Feature = "adopted_grpc_route"
	FeatureAdoptTCPRoute  Feature = "adopted_tcp_route"

	FeatureTerminate Feature = "terminate"
	FeatureLock      Feature = "lock"
	FeatureDiagnose  Feature = "diagnose" // optional
	FeatureReach     Feature = "reach"    // optional
	FeatureTell      Feature = "tell"     // optional
)

// Rule is what a feature needs on some resources of one API group. A resource
// is "pods" or "pods/log".
type Rule struct {
	Group     string
	Resources []string
	Verbs     []string
}

// table is the least privilege of each feature, in the order of messages.
var table = []struct {
	feature  Feature
	optional bool
	rules    []Rule
}{
	{FeatureRefresh, false, []Rule{
		{"apps", []string{"deployments"}, []string{"get", "list", "watch"}},
		{"", []string{"services", "configmaps"}, []string{"get", "list", "watch"}},
		{"", []string{"namespaces"}, []string{"get"}},
	}},
	{FeatureDeploy, false, []Rule{
		{"apps", []string{"deployments"}, []string{"create", "patch"}},
		{"", []string{"services", "configmaps"}, []string{"create", "patch"}},
	}},
	{FeatureAutoscale, false, []Rule{
		{"autoscaling", []string{"horizontalpodautoscalers"}, []string{"get", "list", "watch", "create", "patch", "delete"}},
	}},
	{FeatureDisrupt, false, []Rule{
		{"policy", []string{"poddisruptionbudgets"}, []string{"get", "list", "watch", "create", "patch", "delete"}},
	}},
	{FeaturePromote, false, []Rule{
		{"", []string{"services"}, []string{"get", "patch"}},
		{"discovery.k8s.io", []string{"endpointslices"}, []string{"get", "list", "watch"}},
	}},
	{FeatureAdopt, false, []Rule{
		{"", []string{"pods"}, []string{"list"}}, // those that an adopted Service selected before
	}},
	{FeatureDNS, false, []Rule{
		{externaldns.GroupVersion.Group, []string{externaldns.Plural}, []string{"get", "list", "watch", "create", "patch", "delete"}},
	}},
	{FeatureHTTPRoute, false, []Rule{
		{"gateway.networking.k8s.io", []string{"httproutes"}, []string{"get", "list", "watch", "create", "patch", "delete"}},
	}},
	{FeatureGRPCRoute, false, []Rule{
		{"gateway.networking.k8s.io", []string{"grpcroutes"}, []string{"get", "list", "watch", "create", "patch", "delete"}},
	}},
	{FeatureTCPRoute, false, []Rule{
		{"gateway.networking.k8s.io", []string{"tcproutes"}, []string{"get", "list", "watch", "create", "patch", "delete"}},
	}},
	{FeatureAdoptHTTPRoute, false, []Rule{
		{"gateway.networking.k8s.io", []string{"httproutes"}, []string{"get", "list", "watch", "patch"}},
	}},
	{FeatureAdoptGRPCRoute, false, []Rule{
		{"gateway.networking.k8s.io", []string{"grpcroutes"}, []string{"get", "list", "watch", "patch"}},
	}},
	{FeatureAdoptTCPRoute, false, []Rule{
		{"gateway.networking.k8s.io", []string{"tcproutes"}, []string{"get", "list", "watch", "patch"}},
	}},
	{FeatureTerminate, false, []Rule{
		{"apps", []string{"deployments"}, []string{"delete"}},
		{"", []string{"services", "configmaps"}, []string{"delete"}},
		{"coordination.k8s.io", []string{"leases"}, []string{"delete"}}, // with the last of an application
	}},
	{FeatureLock, false, []Rule{
		{"coordination.k8s.io", []string{"leases"}, []string{"get", "create", "update"}},
	}},
	{FeatureDiagnose, true, []Rule{
		{"", []string{"pods", "events"}, []string{"get", "list", "watch"}},
		{"apps", []string{"replicasets"}, []string{"get", "list", "watch"}},
		{"", []string{"pods/log"}, []string{"get"}},
		{"", []string{"resourcequotas", "limitranges", "persistentvolumeclaims", "serviceaccounts"}, []string{"get", "list"}},
		{"gateway.networking.k8s.io", []string{"httproutes"}, []string{"get", "list"}},
	}},
	{FeatureReach, true, []Rule{
		{"networking.k8s.io", []string{"ingresses"}, []string{"list"}},
		{"gateway.networking.k8s.io", []string{"httproutes", "grpcroutes", "tcproutes"}, []string{"list"}},
		{"", []string{"pods"}, []string{"list"}}, // those that are not ready carry nothing
	}},
	{FeatureTell, true, []Rule{
		{"events.k8s.io", []string{"events"}, []string{"create", "patch"}},
	}},
}

// Features lists every Feature; docs and tests use it.
func Features() []Feature {
	var all []Feature
	for _, row := range table {
		all = append(all, row.feature)
	}
	return all
}

// Rules are what a feature needs, and whether we do without.
func (f Feature) Rules() (rules []Rule, optional bool) {
	for _, row := range table {
		if row.feature == f {
			return row.rules, row.optional
		}
	}
	return nil, true
}

// Gap is one permission that is missing.
type Gap struct {
	Feature   Feature
	Verb      string
	Group     string
	Resource  string // "pods" or "pods/log"
	Namespace string
}

func (g Gap) String() string {
	resource := g.Resource
	if g.Group != "" {
		resource += "." + g.Group
	}
	return fmt.Sprintf("verb %q on %s in namespace %q", g.Verb, resource, g.Namespace)
}

// MissingPermissionsError lists everything that the credential may not do, and
// how to allow it.
type MissingPermissionsError struct {
	Cluster, Namespace string
	User               string // empty: unknown
	Gaps               []Gap
	Note               string
}

func (e *MissingPermissionsError) Error() string {
	var b strings.Builder
	who := "the credential"
	if e.User != "" {
		who = fmt.Sprintf("user %q", e.User)
	}
	fmt.Fprintf(&b, "cluster %q: %s lacks permissions in namespace %q:\n", e.Cluster, who, e.Namespace)
	for _, g := range e.Gaps {
		fmt.Fprintf(&b, "  - to %s: %s\n", g.Feature, g)
	}
	if e.Note != "" {
		b.WriteString(e.Note + "\n")
	}
	b.WriteString("This Role would allow it, beside what is allowed already (bind it to that user):\n" + e.Role())
	return b.String()
}

// Role is the gaps as a Role to apply, in YAML. Its name is that of these gaps: it
// takes the place of no other one.
func (e *MissingPermissionsError) Role() string {
	rules := e.rules()
	name := fnv.New32a()
	_, _ = name.Write([]byte(rules)) // never fails
	return fmt.Sprintf("apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: switchback-%08x\n  namespace: %s\nrules:\n%s", name.Sum32(), e.Namespace, rules)
}

func (e *MissingPermissionsError) rules() string {
	var b strings.Builder
	type subject struct{ group, resource string }
	var order []subject
	verbs := map[subject][]string{}
	for _, g := range e.Gaps {
		s := subject{g.Group, g.Resource}
		if verbs[s] == nil {
			order = append(order, s)
		}
		if !slices.Contains(verbs[s], g.Verb) {
			verbs[s] = append(verbs[s], g.Verb)
		}
	}
	for _, s := range order {
		fmt.Fprintf(&b, "- apiGroups: [%q]\n  resources: [%q]\n  verbs: [%s]\n", s.group, s.resource, strings.Join(verbs[s], ", "))
	}
	return b.String()
}

// Preflight is what was found out about a namespace before working in it. It is
// never changed: who finds out more makes another one.
type Preflight struct {
	Version string // of the server; empty: it does not tell
	Lacking []Gap  // of optional features: what will be said less

	passed   map[Feature]bool
	spared   map[Feature]bool                          // of those asked beside: nothing of it is allowed
	rules    *authorizationv1.SubjectRulesReviewStatus // nil: they may not be asked for
	identity string                                    // the namespace's uid; empty: it may not be read
}

// covers says that nothing needs to be asked any more: all of it has passed, or
// is in the rules that are known.
func (p *Preflight) covers(namespace string, features, beside []Feature) bool {
	holds := func(f Feature) bool {
		return p.passed[f] || p.rules != nil && len(unlisted(p.rules, namespace, f)) == 0
	}
	return !slices.ContainsFunc(features, func(f Feature) bool { return !holds(f) }) &&
		!slices.ContainsFunc(beside, func(f Feature) bool { return !p.spared[f] && !holds(f) })
}

// Preflight checks, before the first write of a run to a namespace, that it
// exists, takes objects, and allows the features. A pass is remembered; a
// failure is not, since somebody may be repairing it.
//
// What is asked beside is needed as soon as the credential may do any of it. One
// that may do nothing of it leaves it to somebody else.
func (c *Cluster) Preflight(ctx context.Context, namespace string, features []Feature, beside ...Feature) (*Preflight, error) {
	if err := c.Check(ctx); err != nil {
		return nil, err
	}
	found := func() *Preflight {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.preflight[namespace]
	}
	covered := func() (bool, error) {
		p := found()
		return p != nil && p.covers(namespace, features, beside), nil
	}
	wanted, also := slices.Clone(features), slices.Clone(beside)
	if p := found(); p != nil {
		wanted = slices.AppendSeq(wanted, maps.Keys(p.passed))
		also = slices.AppendSeq(also, maps.Keys(p.spared))
	}
	slices.Sort(wanted)
	wanted = slices.Compact(wanted)
	also = slices.DeleteFunc(also, func(f Feature) bool { return slices.Contains(wanted, f) })
	slices.Sort(also)
	also = slices.Compact(also)
	err := c.share(ctx, fmt.Sprint("preflight ", namespace, wanted, also), covered, func(ctx context.Context) error {
		p, err := c.inspect(ctx, namespace, wanted, also)
		if err != nil {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.preflight[namespace] = p
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found(), nil
}

func (c *Cluster) inspect(ctx context.Context, namespace string, features, beside []Feature) (*Preflight, error) {
	var (
		ns    corev1.Namespace
		nsErr error
		rules *authorizationv1.SubjectRulesReviewStatus
	)
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error {
		nsErr = c.Get(groupCtx, "", namespace, &ns)
		if apierrors.IsNotFound(nsErr) || apierrors.IsForbidden(nsErr) {
			return nil
		}
		return nsErr
	})
	group.Go(func() error {
		review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}}
		err := c.review(groupCtx, review)
		if err == nil {
			rules = &review.Status
		}
		if apierrors.IsForbidden(err) {
			return nil
		}
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	switch {
	case apierrors.IsNotFound(nsErr):
		return nil, &NamespaceError{Cluster: c.name, Namespace: namespace}
	case nsErr == nil && (ns.DeletionTimestamp != nil || ns.Status.Phase == corev1.NamespaceTerminating):
		return nil, &NamespaceError{c.name, namespace, true, blocking(&ns)}
	}
	gaps, err := c.gaps(ctx, namespace, slices.Concat(features, beside), rules)
	if err != nil {
		return nil, err
	}
	p := &Preflight{Version: c.Version(), passed: map[Feature]bool{}, spared: map[Feature]bool{}, rules: rules, identity: string(ns.UID)}
	for _, f := range slices.Concat(features, beside) {
		p.passed[f] = true
	}
	for _, f := range beside {
		if of(gaps, f) == f.size() {
			p.spared[f] = true
			delete(p.passed, f)
			gaps = slices.DeleteFunc(gaps, func(g Gap) bool { return g.Feature == f })
		}
	}
	var required []Gap
	for _, g := range gaps {
		if _, optional := g.Feature.Rules(); optional {
			p.Lacking = append(p.Lacking, g)
		} else {
			required = append(required, g)
		}
	}
	if len(required) > 0 {
		return nil, &MissingPermissionsError{Cluster: c.name, Namespace: namespace, User: c.User(ctx), Gaps: required}
	}
	return p, nil
}

// Identity tells a namespace of this cluster from those of all others, whatever
// a configuration calls the cluster: its uid. Empty where it cannot be read.
func (c *Cluster) Identity(ctx context.Context, namespace string) (string, error) {
	uid, _, err := c.Namespace(ctx, namespace)
	return uid, err
}

// Namespace is a namespace's uid, empty where it cannot be read, and whether there
// is such a namespace. It is asked once in a run, for all callers together.
func (c *Cluster) Namespace(ctx context.Context, name string) (uid string, there bool, err error) {
	found := func() (*string, bool) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if p := c.preflight[name]; p != nil {
			return &p.identity, true
		}
		uid, asked := c.namespaces[name]
		return uid, asked
	}
	known := func() (bool, error) { _, asked := found(); return asked, nil }
	err = c.share(ctx, "namespace "+name, known, func(ctx context.Context) error {
		var ns corev1.Namespace
		err := c.Get(ctx, "", name, &ns)
		uid := new(string)
		switch {
		case apierrors.IsNotFound(err):
			uid = nil
		case err != nil && !apierrors.IsForbidden(err):
			return err
		default:
			*uid = string(ns.UID)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.namespaces[name] = uid
		return nil
	})
	if err != nil {
		return "", false, err
	}
	if seen, _ := found(); seen != nil {
		return *seen, true, nil
	}
	return "", false, nil
}

// review posts one of the self-reviews, which fill themselves.
func (c *Cluster) review(ctx context.Context, review Object) error {
	res, err := resourceOf(review)
	if err != nil {
		return err
	}
	_, err = c.do(ctx, call{"create", res, "", "", readTimeout}, func(ctx context.Context) error {
		return fill(review, func(o runtime.Object) error {
			return c.request("POST", res, "", "").Body(review).Do(ctx).Into(o)
		})
	})
	return err
}

// gaps are the permissions that are missing, in the order of the table. What the
// rules do not show is asked for one by one: rules cannot be listed for every
// authorizer.
func (c *Cluster) gaps(ctx context.Context, namespace string, features []Feature, rules *authorizationv1.SubjectRulesReviewStatus) ([]Gap, error) {
	var asks []Gap
	for _, f := range Features() {
		if slices.Contains(features, f) {
			asks = append(asks, unlisted(rules, namespace, f)...)
		}
	}
	missing := map[Gap]*bool{} // by the permission alone: several features may need it
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, g := range asks {
		if missing[g.alone()] != nil {
			continue
		}
		is := new(bool)
		missing[g.alone()] = is
		group.Go(func() (err error) {
			*is, err = c.denied(groupCtx, g)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(asks, func(g Gap) bool { return !*missing[g.alone()] }), nil
}

// alone is the permission without what it is for.
func (g Gap) alone() Gap {
	g.Feature = ""
	return g
}

// unlisted are the permissions of a feature that rules do not show; nil rules
// show nothing.
func unlisted(rules *authorizationv1.SubjectRulesReviewStatus, namespace string, f Feature) []Gap {
	var gaps []Gap
	needed, _ := f.Rules()
	for _, rule := range needed {
		for _, r := range rule.Resources {
			for _, verb := range rule.Verbs {
				if rules == nil || !allows(rules.ResourceRules, namespace, rule.Group, r, verb) {
					gaps = append(gaps, Gap{f, verb, rule.Group, r, namespace})
				}
			}
		}
	}
	return gaps
}

// size is how many permissions a feature takes.
func (f Feature) size() int { return len(unlisted(nil, "", f)) }

// of counts the gaps of a feature.
func of(gaps []Gap, f Feature) (n int) {
	for _, g := range gaps {
		if g.Feature == f {
			n++
		}
	}
	return n
}

func allows(rules []authorizationv1.ResourceRule, namespace, group, resource, verb string) bool {
	has := func(list []string, values ...string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return s == "*" || slices.Contains(values, s) })
	}
	for _, r := range rules {
		named := len(r.ResourceNames) == 0 || resource == "namespaces" && slices.Contains(r.ResourceNames, namespace)
		if named && has(r.APIGroups, group) && has(r.Resources, resource) && has(r.Verbs, verb) {
			return true
		}
	}
	return false
}

// denied asks for one permission. Where even asking is forbidden, the request
// itself will tell.
func (c *Cluster) denied(ctx context.Context, g Gap) (bool, error) {
	resource, sub, _ := strings.Cut(g.Resource, "/")
	attributes := &authorizationv1.ResourceAttributes{Namespace: g.Namespace, Verb: g.Verb, Group: g.Group, Resource: resource, Subresource: sub}
	if resource == "namespaces" {
		attributes.Name = g.Namespace
	}
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: attributes}}
	err := c.review(ctx, review)
	if apierrors.IsForbidden(err) {
		return false, nil
	}
	return err == nil && !review.Status.Allowed, err
}

// blocking is what a terminating namespace says it waits for.
func blocking(ns *corev1.Namespace) string {
	var parts []string
	for _, condition := range ns.Status.Conditions {
		if condition.Status == corev1.ConditionTrue {
			parts = append(parts, condition.Message)
		}
	}
	return strings.Join(parts, "; ")
}

// User is who the API server takes us for, asked once a run; empty where it
// does not tell.
func (c *Cluster) User(ctx context.Context) string {
	known := func() (bool, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.user != nil, nil
	}
	var name string
	err := c.share(ctx, "user", known, func(ctx context.Context) error {
		review := &authenticationv1.SelfSubjectReview{ObjectMeta: metav1.ObjectMeta{}}
		err := c.review(ctx, review)
		if err != nil && !apierrors.IsForbidden(err) {
			return err
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.user = &review.Status.UserInfo.Username
		return nil
	})
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		name = *c.user
	}
	return name
}
