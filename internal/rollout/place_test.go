package rollout_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// in lets a life fail a test below its own, until that ends.
func (l *life) in(t *testing.T) {
	above := l.t
	l.t = t
	t.Cleanup(func() { l.t = above })
}

// beginning is how a life was once, of what no verb undoes.
type beginning struct {
	main   string
	labels map[string]map[string]string // of its workloads
	data   map[string]string            // of the pointer, with the history; nil: there is none
	lease  bool                         // there is one
}

func (l *life) beginning() beginning {
	l.t.Helper()
	client, ctx := l.cluster.Client(), l.t.Context()
	deployments, err1 := client.AppsV1().Deployments(l.namespace).List(ctx, metav1.ListOptions{LabelSelector: release.ManagedSelector})
	pointer, err2 := client.CoreV1().ConfigMaps(l.namespace).Get(ctx, "api-switchback", metav1.GetOptions{})
	if apierrors.IsNotFound(err2) {
		err2 = nil
	}
	leases, err3 := client.CoordinationV1().Leases(l.namespace).List(ctx, metav1.ListOptions{LabelSelector: release.ManagedSelector})
	must(l.t, err1, err2, err3)
	b := beginning{main: l.main, labels: map[string]map[string]string{}, data: pointer.Data, lease: len(leases.Items) > 0}
	for i := range deployments.Items {
		b.labels[deployments.Items[i].Name] = deployments.Items[i].Labels
	}
	return b
}

// again takes back what verbs leave behind although others have undone them: labels
// for kubectl, which are not there before the first verb; what the pointer remembers
// of settings; lines of the history; a Lease that was not there; and old ReplicaSets.
func (l *life) again(b beginning) {
	l.t.Helper()
	client, ctx, options := l.cluster.Client(), l.t.Context(), metav1.ListOptions{LabelSelector: release.LabelDeployment}
	deployments, err1 := client.AppsV1().Deployments(l.namespace).List(ctx, options)
	sets, err2 := client.AppsV1().ReplicaSets(l.namespace).List(ctx, options)
	must(l.t, err1, err2)
	for i := range deployments.Items {
		d, gone := &deployments.Items[i], map[string]any{}
		for label := range d.Labels {
			if _, was := b.labels[d.Name][label]; !was {
				gone[label] = nil
			}
		}
		if len(gone) > 0 {
			patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": gone}})
			must(l.t, err)
			_, err = client.AppsV1().Deployments(l.namespace).Patch(ctx, d.Name, types.MergePatchType, patch, metav1.PatchOptions{})
			must(l.t, err)
		}
	}
	for i := range sets.Items {
		if set := &sets.Items[i]; *set.Spec.Replicas == 0 && set.Status.Replicas == 0 && isOld(set, deployments.Items) {
			must(l.t, client.AppsV1().ReplicaSets(l.namespace).Delete(ctx, set.Name, metav1.DeleteOptions{}))
		}
	}
	if !b.lease {
		must(l.t, client.CoordinationV1().Leases(l.namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: release.ManagedSelector}))
	}
	if b.data == nil {
		return
	}
	pointer, err := client.CoreV1().ConfigMaps(l.namespace).Get(ctx, "api-switchback", metav1.GetOptions{})
	must(l.t, err)
	if !maps.Equal(pointer.Data, b.data) {
		pointer.Data = b.data
		_, err := client.CoreV1().ConfigMaps(l.namespace).Update(ctx, pointer, metav1.UpdateOptions{})
		must(l.t, err)
	}
	l.main = b.main
}

// isOld says that a workload has had other pods since.
func isOld(set *appsv1.ReplicaSet, workloads []appsv1.Deployment) bool {
	const revision = "deployment.kubernetes.io/revision"
	return slices.ContainsFunc(workloads, func(d appsv1.Deployment) bool {
		return metav1.IsControlledBy(set, &d) && set.Annotations[revision] != d.Annotations[revision]
	})
}

// places are where verbs begin, by name, for several lives of one kind: whichever of
// them comes to a place, and whatever it went through before, finds the same there.
type places struct {
	mu    sync.Mutex
	known map[string]map[string]string
}

// same fails the test, and ends it, unless a life finds there what others did.
func (p *places) same(t *testing.T, l *life, place string) {
	t.Helper()
	found := l.scene()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = map[string]map[string]string{}
	}
	if p.known[place] == nil {
		p.known[place] = found
	}
	if diff := cmp.Diff(p.known[place], found); diff != "" {
		t.Fatalf("another life has found something else at the place %q:\n%s", place, diff)
	}
}

// are says that a life finds there what others did. Where none has been there yet, it
// says no: the first one comes there undisturbed.
func (p *places) are(l *life, place string) bool {
	l.t.Helper()
	found := l.scene()
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Equal(p.known[place], found)
}

// scene is everything of the application, without what tells one life, or one claim,
// from another. It waits until no pod is ending, and all are ready, but for those of a
// release that a process has been at work on: nobody waits for them there.
func (l *life) scene() map[string]string {
	l.t.Helper()
	client, ctx := l.cluster.Client(), l.t.Context()
	options, ours := metav1.ListOptions{LabelSelector: release.ManagedSelector}, metav1.ListOptions{LabelSelector: release.LabelDeployment}
	found := map[string]string{}
	put := func(kind string, meta *metav1.ObjectMeta, content ...any) {
		notes := maps.Clone(meta.Annotations)
		delete(notes, "deployment.kubernetes.io/revision")
		text, err := json.MarshalIndent(append([]any{meta.Labels, notes}, content...), "", " ")
		must(l.t, err)
		found[kind+"/"+meta.Name] = strings.ReplaceAll(string(text), l.namespace, "NAMESPACE")
	}
	deployments, err1 := client.AppsV1().Deployments(l.namespace).List(ctx, options)
	services, err2 := client.CoreV1().Services(l.namespace).List(ctx, options)
	configMaps, err3 := client.CoreV1().ConfigMaps(l.namespace).List(ctx, options)
	leases, err4 := client.CoordinationV1().Leases(l.namespace).List(ctx, options)
	scalers, err5 := client.AutoscalingV2().HorizontalPodAutoscalers(l.namespace).List(ctx, options)
	budgets, err6 := client.PolicyV1().PodDisruptionBudgets(l.namespace).List(ctx, options)
	must(l.t, err1, err2, err3, err4, err5, err6)
	for i := range scalers.Items {
		put("HorizontalPodAutoscaler", &scalers.Items[i].ObjectMeta, scalers.Items[i].Spec)
	}
	for i := range budgets.Items {
		put("PodDisruptionBudget", &budgets.Items[i].ObjectMeta, budgets.Items[i].Spec)
	}
	for i := range deployments.Items {
		put("Deployment", &deployments.Items[i].ObjectMeta, deployments.Items[i].Spec)
	}
	for i := range services.Items {
		spec := services.Items[i].Spec
		spec.ClusterIP, spec.ClusterIPs = "", nil
		put("Service", &services.Items[i].ObjectMeta, spec)
	}
	busy := map[string]bool{}
	for i := range configMaps.Items {
		cm := &configMaps.Items[i]
		var content any
		if record, err := release.ParseRecord(cm.Data); err == nil {
			busy[cm.Name], content = record.Busy(), sceneOf(record)
		} else if main, err := release.MainOf(cm.Data); err == nil && main != nil {
			content = sceneOfMain(main)
		}
		put("ConfigMap", &cm.ObjectMeta, content)
	}
	for i := range leases.Items {
		holder := leases.Items[i].Spec.HolderIdentity
		put("Lease", &leases.Items[i].ObjectMeta, holder != nil && *holder != "")
	}
	var pods []string
	testcluster.Eventually(l.t, testcluster.Hang, "pods that stay", func() error {
		list, err := client.CoreV1().Pods(l.namespace).List(ctx, ours)
		must(l.t, err)
		pods = nil
		for i := range list.Items {
			pod := &list.Items[i]
			if busy[pod.Labels[release.LabelDeployment]] {
				continue
			}
			if pod.DeletionTimestamp != nil {
				return fmt.Errorf("%s is ending", pod.Name)
			}
			ready := slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
				return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
			})
			if !ready {
				return fmt.Errorf("%s is not ready", pod.Name)
			}
			pods = append(pods, pod.Labels[release.LabelDeployment])
		}
		return nil
	})
	slices.Sort(pods)
	found["pods"] = strings.Join(pods, " ")
	return found
}

// sceneOf is a record without who wrote it, and when.
func sceneOf(r *release.Record) any {
	r.Owner, r.ClaimedAt, r.Holder, r.Beat, r.Entry, r.Phases, r.Durations, r.Waited = "", time.Time{}, "", 0, "", nil, release.Durations{}, 0
	if r.Run != "" {
		r.Run = "a run"
	}
	if by := r.StoppedBy; by != nil {
		r.Reason = strings.ReplaceAll(r.Reason, by.At.Format(time.RFC3339), "THEN")
		by.At = time.Time{}
	}
	for _, fields := range r.Baseline {
		for field := range fields {
			fields[field] = "" // its hash has another key each time
		}
	}
	return r
}

// sceneOfMain is the same of an application's pointer.
func sceneOfMain(m *release.Main) any {
	m.Owner, m.ClaimedAt, m.PromotedAt = "", time.Time{}, time.Time{}
	for name := range m.Left {
		m.Left[name] = time.Time{}
	}
	for field := range m.Baseline {
		m.Baseline[field] = ""
	}
	return []any{m, m.Progress != nil}
}
