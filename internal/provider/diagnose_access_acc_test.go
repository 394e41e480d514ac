package provider_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
)

// lacking is a connection that may do everything but one thing that explains
// failures.
func (l *lab) lacking(group, resource string) string {
	features := slices.DeleteFunc(cluster.Features(), func(f cluster.Feature) bool {
		return f == cluster.FeatureDiagnose || f == cluster.FeatureAdopt || f == cluster.FeatureReach // which list pods, or routes, too
	})
	rules, clusterRules := policyRules(features...)
	needs, _ := cluster.FeatureDiagnose.Rules()
	for _, r := range needs {
		rest := slices.DeleteFunc(slices.Clone(r.Resources), func(name string) bool { return r.Group == group && name == resource })
		if len(rest) > 0 {
			rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{r.Group}, Resources: rest, Verbs: r.Verbs})
		}
	}
	return connection(l.cluster.RestrictedKubeconfig(l.t, l.namespace, rules, clusterRules...))
}

// TestAccEveryPermissionToExplainIsOptional: without any one of them, what works
// works, what fails fails, and the error says once what may not be read, with the
// rule that would allow it.
func TestAccEveryPermissionToExplainIsOptional(t *testing.T) {
	t.Parallel()
	needs, _ := cluster.FeatureDiagnose.Rules()
	for _, r := range needs {
		for _, resource := range r.Resources {
			t.Run(strings.ReplaceAll(resource, "/", "-"), func(t *testing.T) {
				l := newLab(t)
				l.provider = l.lacking(r.Group, resource)
				image, cause, deadline := "demo/missing-api:v2", "Deployment failed to start: ImageNotFound", ""
				switch resource {
				case "pods":
					cause = "The wait ended because health.progress_deadline (4s) has passed."
					deadline = `health = { progress_deadline = "4s" }`
				case "pods/log":
					image, cause = "demo/crash-api:v2", "Deployment failed to start: CrashLoopBackOff"
				}
				w := l.inProcess()
				w.apply(l.config(l.deployment(createFirst), l.main()))
				failed := w.applyFails(l.config(l.deployment(`image = "`+image+`"`, deadline, createFirst), l.main()))
				failed.tells(cause)
				how := "listed"
				if resource == "pods/log" {
					how = "read"
				}
				said := fmt.Sprintf(`In namespace %q, %s may not be %s: less can be said. This would allow it, in a Role:`, l.namespace, resource, how)
				rule := fmt.Sprintf("\n  - {apiGroups: [%q], resources: [%s], verbs: [%s]}", r.Group, resource, strings.Join(r.Verbs, ", "))
				want := 1
				if resource == "httproutes" {
					want = 0 // few clusters have that kind, and those that do not refuse it, too
				}
				if n := strings.Count(failed.messages("error"), said+rule); n != want {
					t.Errorf("%d times it says %q:\n%s", n, said+rule, failed.messages("error"))
				}
				w.write(l.config(l.deployment(createFirst), l.main()))
				w.wantNoChanges()
				w.destroy()
				l.wantNothingLeft()
			})
		}
	}
}

// TestAccWithoutPodsConditionsTell: that the cluster refuses the pods, the
// workload itself says.
func TestAccWithoutPodsConditionsTell(t *testing.T) {
	l := newLab(t)
	_, err := l.cluster.Client().CoreV1().ResourceQuotas(l.namespace).Create(t.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "tiny"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: quantity("0")}},
	}, metav1.CreateOptions{})
	l.must(err)
	l.provider = l.lacking("", "pods")
	w := l.inProcess()
	failed := w.applyFails(l.config(l.deployment())).tells("Deployment failed to start: QuotaExceeded", "tiny", "pods may not be listed")
	if text := failed.messages("error"); strings.Contains(text, "The wait ended") {
		t.Errorf("it waited for its time to be up:\n%s", text)
	}
}
