package testcluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// cleanupTimeout bounds what a test's end does: its own context is over then.
const cleanupTimeout = 10 * time.Second

// Kubeconfig writes a variation of the administrator's kubeconfig. The file
// has one context, one cluster and one user, all inline.
func (c *Cluster) Kubeconfig(t testing.TB, edit ...func(*clientcmdapi.Config)) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(c.KubeconfigPath)
	if err == nil {
		err = errors.Join(clientcmdapi.MinifyConfig(config), clientcmdapi.FlattenConfig(config))
	}
	if err != nil {
		t.Fatalf("read %s: %v", c.KubeconfigPath, err)
	}
	for _, e := range edit {
		e(config)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatalf("write a kubeconfig: %v", err)
	}
	return path
}

// WithToken makes a kubeconfig authenticate with a bearer token and nothing
// else.
func WithToken(token string) func(*clientcmdapi.Config) {
	return func(config *clientcmdapi.Config) {
		for name := range config.AuthInfos {
			config.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token}
		}
	}
}

// WithServer makes a kubeconfig talk to another address, whose certificate the
// PEM-encoded authority vouches for.
func WithServer(url string, authority []byte) func(*clientcmdapi.Config) {
	return func(config *clientcmdapi.Config) {
		for name := range config.Clusters {
			config.Clusters[name] = &clientcmdapi.Cluster{Server: url, CertificateAuthorityData: authority}
		}
	}
}

// WithNamespace sets the namespace of a kubeconfig's contexts.
func WithNamespace(namespace string) func(*clientcmdapi.Config) {
	return func(config *clientcmdapi.Config) {
		for _, context := range config.Contexts {
			context.Namespace = namespace
		}
	}
}

// RestrictedKubeconfig makes a service account that may do in the namespace
// what the rules say, and in the whole cluster what clusterRules say, and
// returns the path of its kubeconfig. The rules are in force when it returns.
func (c *Cluster) RestrictedKubeconfig(t testing.TB, namespace string, rules []rbacv1.PolicyRule, clusterRules ...rbacv1.PolicyRule) string {
	t.Helper()
	return c.Kubeconfig(t, WithToken(c.RestrictedToken(t, namespace, rules, clusterRules...)), WithNamespace(namespace))
}

// RestrictedToken is [Cluster.RestrictedKubeconfig] for callers that need the
// bearer token itself.
func (c *Cluster) RestrictedToken(t testing.TB, namespace string, rules []rbacv1.PolicyRule, clusterRules ...rbacv1.PolicyRule) string {
	t.Helper()
	name := c.RestrictedAccount(t, namespace, rules, clusterRules...)
	token, err := c.client.CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("a token of the service account %s: %v", name, err)
	}
	return token.Status.Token
}

// RestrictedAccount is [Cluster.RestrictedKubeconfig] for pods, which run as the service
// account that it names.
func (c *Cluster) RestrictedAccount(t testing.TB, namespace string, rules []rbacv1.PolicyRule, clusterRules ...rbacv1.PolicyRule) string {
	t.Helper()
	ctx := t.Context()
	name := "restricted-" + strings.ToLower(rand.Text()[:6])
	meta := metav1.ObjectMeta{Name: name}
	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: name, Namespace: namespace}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("make the service account %s: %v", name, err)
		}
	}

	_, err := c.client.CoreV1().ServiceAccounts(namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{})
	must(err)
	rbac := c.client.RbacV1()
	_, err = rbac.Roles(namespace).Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
	must(err)
	_, err = rbac.RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: meta, Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
	}, metav1.CreateOptions{})
	must(err)
	if len(clusterRules) > 0 {
		_, err = rbac.ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: meta, Rules: clusterRules}, metav1.CreateOptions{})
		must(err)
		_, err = rbac.ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: meta, Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		}, metav1.CreateOptions{})
		must(err)
		t.Cleanup(func() { c.deleteClusterRole(name) })
	}
	user := "system:serviceaccount:" + namespace + ":" + name
	c.waitUntilAllowed(t, user, namespace, rules)
	c.waitUntilAllowed(t, user, "", clusterRules)
	return name
}

// waitUntilAllowed waits until the authorizer knows the rules: it learns of
// them from a watch, a moment after they were made. They are one object, so that who
// knows one of them knows all.
func (c *Cluster) waitUntilAllowed(t testing.TB, user, namespace string, rules []rbacv1.PolicyRule) {
	t.Helper()
	i := slices.IndexFunc(rules, func(r rbacv1.PolicyRule) bool {
		return len(r.Verbs) > 0 && len(r.Resources) > 0 && len(r.APIGroups) > 0
	})
	if i < 0 {
		return
	}
	rule := rules[i]
	resource, subresource, _ := strings.Cut(rule.Resources[0], "/")
	attributes := &authorizationv1.ResourceAttributes{
		Namespace: namespace, Verb: rule.Verbs[0], Group: rule.APIGroups[0], Resource: resource, Subresource: subresource,
	}
	if len(rule.ResourceNames) > 0 {
		attributes.Name = rule.ResourceNames[0]
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: user, ResourceAttributes: attributes}}
	Eventually(t, Hang, "the authorizer to know the rules of "+user, func() error {
		answer, err := c.client.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), review, metav1.CreateOptions{})
		if err == nil && !answer.Status.Allowed {
			err = fmt.Errorf("%s %s is not allowed yet", attributes.Verb, rule.Resources[0])
		}
		return err
	})
}

// The clean-ups only keep a shared cluster small: that one of them fails, on a
// cluster that the test has stopped for example, is no failure of the test.

// empty ends what the controllers and the nodes are at work on in a namespace.
// What is only stored stays, and so does the namespace: to remove one takes two
// requests for each kind of object that there is. What is at rest stays, too:
// nobody looks at it again, and to end one release takes dozens of writes.
func (c *Cluster) empty(t testing.TB, namespace string) {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
	defer cancel()
	at, background := int64(0), metav1.DeletePropagationBackground
	options := metav1.DeleteOptions{GracePeriodSeconds: &at, PropagationPolicy: &background}
	type kinds struct {
		client    rest.Interface
		resources []string
	}
	all := []kinds{
		{c.client.AppsV1().RESTClient(), []string{"deployments", "replicasets"}}, // owners first: they would make others
		{c.client.CoreV1().RESTClient(), []string{"pods", "services"}},
		{c.client.AutoscalingV2().RESTClient(), []string{"horizontalpodautoscalers"}},
		{c.client.PolicyV1().RESTClient(), []string{"poddisruptionbudgets"}},
	}
	rests, err := c.rests(ctx, namespace)
	if err == nil && rests {
		return
	}
	for _, of := range all {
		for _, resource := range of.resources {
			if err := of.client.Delete().Namespace(namespace).Resource(resource).Body(&options).Do(ctx).Error(); err != nil {
				t.Logf("empty namespace %s: %v", namespace, err)
				return
			}
		}
	}
}

// rests says that nothing in a namespace asks for work as long as nobody changes
// it: its Deployments have the pods that they want, all of which are ready on
// nodes that stay, and no autoscaler looks at them now and then. The API server
// answers from memory, which may be a moment old.
func (c *Cluster) rests(ctx context.Context, namespace string) (bool, error) {
	cached := metav1.ListOptions{ResourceVersion: "0"}
	scalers, err1 := c.client.AutoscalingV2().HorizontalPodAutoscalers(namespace).List(ctx, cached)
	deployments, err2 := c.client.AppsV1().Deployments(namespace).List(ctx, cached)
	pods, err3 := c.client.CoreV1().Pods(namespace).List(ctx, cached)
	if err := errors.Join(err1, err2, err3); err != nil {
		return false, err
	}
	return len(scalers.Items) == 0 && !slices.ContainsFunc(deployments.Items, isAtWork) && !slices.ContainsFunc(pods.Items, isAtWorkPod), nil
}

func isAtWork(d appsv1.Deployment) bool {
	want, s := int32(1), d.Status
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	return d.DeletionTimestamp != nil || s.ObservedGeneration < d.Generation ||
		s.Replicas != want || s.UpdatedReplicas != want || s.AvailableReplicas != want
}

func isAtWorkPod(pod corev1.Pod) bool {
	ready := slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
	return !ready || pod.DeletionTimestamp != nil || strings.HasPrefix(pod.Spec.NodeName, kubeletNodes)
}

func (c *Cluster) deleteClusterRole(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
	defer cancel()
	_ = c.client.RbacV1().ClusterRoleBindings().Delete(ctx, name, metav1.DeleteOptions{})
	_ = c.client.RbacV1().ClusterRoles().Delete(ctx, name, metav1.DeleteOptions{})
}
