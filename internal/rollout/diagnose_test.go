package rollout_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/diagnose"
	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// crashes lets all pods crash from now on, with last words that hold a secret.
func (a *talkative) crashes(t *testing.T) {
	t.Helper()
	a.says("", "api", true, 0, "starting", "cannot connect to postgres://app:hunter2@db/shop")
	a.kubelet.Status(func(pod *corev1.Pod) corev1.PodStatus {
		return testcluster.PodStatus(pod, map[string]corev1.ContainerStatus{"api": testcluster.CrashLoop(3, 4)})
	})
	a.awaitStatus(t, "api", 4)
	testcluster.Eventually(t, testcluster.Hang, "the workload to know of it", func() error {
		d, err := a.cluster.Client().AppsV1().Deployments(a.namespace).Get(t.Context(), a.id.Name, metav1.GetOptions{})
		if err == nil && d.Status.AvailableReplicas != 0 {
			err = fmt.Errorf("%+v", d.Status)
		}
		return err
	})
}

// diagnosed is a verdict in a line, with the first finding.
func diagnosed(d diagnose.Diagnosed) string {
	text := fmt.Sprintf("%s %s %d/%d", d.Cluster, d.Verdict.State, d.Verdict.Ready, d.Verdict.Want)
	for _, f := range d.Verdict.Findings {
		text += fmt.Sprintf("; %s %s %s %d/%d", f.Cause, f.Class, f.Container, f.Affected, f.Of)
	}
	return text
}

func TestDiagnose(t *testing.T) {
	t.Parallel()
	a := talk(t)
	ours := diagnose.Subject{Namespace: a.namespace, Workload: a.id.Name}
	selected := diagnose.Subject{Namespace: a.namespace, Selector: release.LabelDeployment + "=" + a.id.Name}
	for what, subject := range map[string]diagnose.Subject{"a deployment": ours, "a selector": selected} {
		all, err := diagnose.On(t.Context(), a.named(t, a.proxy.KubeconfigPath, "west", "east"), subject, testcluster.Hang)
		if err != nil || len(all) != 2 || diagnosed(all[0]) != "east healthy 2/2" || diagnosed(all[1]) != "west healthy 2/2" || len(all[0].Unread) > 0 {
			t.Errorf("%s that is well: %+v, %v", what, all, err)
		}
	}
	a.crashes(t)
	want := "prod failed 0/2; CrashLoopBackOff repeated api 2/2"
	for what, subject := range map[string]diagnose.Subject{"a deployment": ours, "a selector": selected} {
		testcluster.Eventually(t, testcluster.Hang, what+" that crashes to be told of, with its log", func() error { // a node has two seconds to send that
			all, err := diagnose.On(t.Context(), a.on, subject, testcluster.Hang)
			if err != nil || len(all) != 1 || diagnosed(all[0]) != want {
				return fmt.Errorf("%+v, %w", all, err)
			}
			f := all[0].Verdict.Findings[0]
			if f.Log != "starting\ncannot connect to postgres://***@db/shop" || f.Hint == "" || f.Sentence == "" {
				return fmt.Errorf("%+v", f)
			}
			return nil
		})
	}
	var absent *diagnose.AbsentError
	for _, nothing := range []diagnose.Subject{{Namespace: a.namespace, Workload: "web"}, {Namespace: a.namespace, Selector: "app=web"}} {
		if _, err := diagnose.On(t.Context(), a.on, nothing, testcluster.Hang); !errors.As(err, &absent) {
			t.Errorf("%+v: %v", nothing, err)
		}
	}
	a.proxy.Down(t)
	if _, err := diagnose.On(t.Context(), a.named(t, a.proxy.KubeconfigPath, "prod"), ours, testcluster.Hang); err == nil {
		t.Error("a cluster that is away was diagnosed")
	}
}

// TestDiagnoseGoesByTheSettings: what the user set of a release's health holds for
// a look at it, too.
func TestDiagnoseGoesByTheSettings(t *testing.T) {
	t.Parallel()
	a := talkOf(t, func(spec *release.Spec) { spec.Health = release.Health{CrashLimit: 9, LogTail: new(int32(0))} })
	a.crashes(t)
	all, err := diagnose.On(t.Context(), a.on, diagnose.Subject{Namespace: a.namespace, Workload: a.id.Name}, testcluster.Hang)
	if err != nil || len(all) != 1 || diagnosed(all[0]) != "prod progressing 0/2; CrashLoopBackOff patient api 2/2" || logsOf(all[0].Verdict) != "" {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestDiagnoseAStranger: a Deployment of somebody else's.
func TestDiagnoseAStranger(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	l.cluster.Legacy(t, l.namespace, "web", "demo/web:v1")
	p := l.process(t)
	testcluster.Eventually(t, testcluster.Hang, "it to be healthy", func() error { // its controller may be behind its pods
		all, err := diagnose.On(t.Context(), p.on, diagnose.Subject{Namespace: l.namespace, Workload: "web-legacy"}, testcluster.Hang)
		if err != nil || len(all) != 1 || diagnosed(all[0]) != "prod healthy 1/1" {
			return fmt.Errorf("%+v, %w", all, err)
		}
		return nil
	})
}

// TestDiagnoseWithLess: each permission removed in turn is told, and the rest is
// still said. Only what is judged must be readable.
func TestDiagnoseWithLess(t *testing.T) {
	t.Parallel()
	a := talk(t)
	a.crashes(t)
	ours := diagnose.Subject{Namespace: a.namespace, Workload: a.id.Name}
	rules := []rbacv1.PolicyRule{
		{Verbs: []string{"get"}, APIGroups: []string{"apps"}, Resources: []string{"deployments"}},
		{Verbs: []string{"list"}, APIGroups: []string{""}, Resources: []string{"pods"}},
		{Verbs: []string{"list"}, APIGroups: []string{"apps"}, Resources: []string{"replicasets"}},
		{Verbs: []string{"list"}, APIGroups: []string{""}, Resources: []string{"events"}},
		{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods/log"}},
	}
	without := func(i int, s diagnose.Subject) ([]diagnose.Diagnosed, error) {
		kubeconfig := a.cluster.RestrictedKubeconfig(t, a.namespace, slices.Delete(slices.Clone(rules), i, i+1))
		return diagnose.On(t.Context(), a.named(t, kubeconfig, "prod"), s, testcluster.Hang)
	}
	for i, want := range map[int]string{
		1: "prod progressing 0/2", 2: "prod failed 0/2; CrashLoopBackOff", 3: "prod failed 0/2; CrashLoopBackOff", 4: "prod failed 0/2; CrashLoopBackOff",
	} {
		all, err := without(i, ours)
		if err != nil || len(all) != 1 || !strings.HasPrefix(diagnosed(all[0]), want) {
			t.Errorf("without %s: %+v, %v", rules[i].Resources[0], all, err)
			continue
		}
		if !slices.ContainsFunc(all[0].Unread, func(u diagnose.Unread) bool { return u.Resource == rules[i].Resources[0] && u.Err != nil }) {
			t.Errorf("without %s: what was not read is %v", rules[i].Resources[0], all[0].Unread)
		}
		if hasLog := strings.Contains(logsOf(all[0].Verdict), "postgres"); hasLog != (i == 2 || i == 3) {
			t.Errorf("without %s: there is a log: %t", rules[i].Resources[0], hasLog)
		}
	}
	if _, err := without(0, ours); err == nil || !strings.Contains(err.Error(), fmt.Sprintf(`this takes verb "get" on deployments.apps in namespace %q`, a.namespace)) {
		t.Errorf("without deployments: %v", err)
	}
	if _, err := without(1, diagnose.Subject{Namespace: a.namespace, Selector: "x=y"}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf(`this takes verb "list" on pods in namespace %q`, a.namespace)) {
		t.Errorf("a selector without pods: %v", err)
	}
}

func logsOf(v health.Verdict) string {
	text := ""
	for _, f := range v.Findings {
		text += f.Log
	}
	return text
}

// TestDiagnoseWhereTheKubeletIsSilent: a log that cannot be read is left out.
func TestDiagnoseWhereTheKubeletIsSilent(t *testing.T) {
	t.Parallel()
	a := talk(t)
	a.crashes(t)
	a.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if strings.HasSuffix(r.Path, "/log") {
			return testcluster.Reject(500, metav1.StatusReasonInternalError, "dial tcp 10.0.0.1:10250: i/o timeout")
		}
		return testcluster.Fault{}
	})
	all, err := diagnose.On(t.Context(), a.on, diagnose.Subject{Namespace: a.namespace, Workload: a.id.Name}, diagnose.TailPatience)
	if err != nil || diagnosed(all[0]) != "prod failed 0/2; CrashLoopBackOff repeated api 2/2" || logsOf(all[0].Verdict) != "" {
		t.Errorf("%+v, %v", all, err)
	}
	log, err := diagnose.Logs(t.Context(), a.on, a.query(func(q *diagnose.LogQuery) { q.Container = "api" }))
	if err != nil || len(log.Notes) != 1 || !strings.Contains(log.Notes[0], "i/o timeout") {
		t.Errorf("%+v, %v", log, err)
	}
}
