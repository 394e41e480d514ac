package provider_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

func TestAccDriftIsToldAndRepairedInPlace(t *testing.T) {
	t.Parallel()
	const removed, deleted = unrecorded, unrecorded
	name := nameOf("v1")
	tests := map[string]struct {
		deployment []string
		change     func(ctx context.Context, l *lab) error
		address    string
		want       driftLine
		restarts   bool // the main address may be without a ready pod
	}{
		"replicas": {
			change:  patchOf(name, `{"spec":{"replicas":3}}`),
			address: theDeployment,
			want:    driftLine{Object: "Deployment/" + name, Field: "spec.replicas", Expected: "1", Actual: "3", Manager: somebody},
		},
		"image": {
			change:  patchOf(name, `{"spec":{"template":{"spec":{"containers":[{"name":"api","image":"demo/api:hotfix"}]}}}}`),
			address: theDeployment,
			want:    driftLine{Object: "Deployment/" + name, Field: "spec.template.spec.containers[api].image", Expected: "demo/api:v1", Actual: "demo/api:hotfix", Manager: somebody},
		},
		"environment variable": {
			deployment: []string{`container = { ports = { http = 8080 }, env = { LEVEL = "info", OTHER = "x" } }`},
			change:     patchOf("", `{"spec":{"template":{"spec":{"containers":[{"name":"api","env":[{"name":"LEVEL","value":"hunter2"}]}]}}}}`),
			address:    theDeployment,
			want:       driftLine{Field: "spec.template.spec.containers[api].env[LEVEL].value", Expected: "(value not shown)", Actual: "(value not shown)", Manager: somebody},
		},
		"removed variable": {
			deployment: []string{`container = { ports = { http = 8080 }, env = { LEVEL = "info", OTHER = "x" } }`},
			change:     patchOf("", `{"spec":{"template":{"spec":{"containers":[{"name":"api","env":[{"$patch":"delete","name":"LEVEL"}]}]}}}}`),
			address:    theDeployment,
			want:       driftLine{Field: "spec.template.spec.containers[api].env[LEVEL]", Manager: removed},
		},
		"selector of the release's Service": {
			change: func(_ context.Context, l *lab) error {
				l.patchService(name, `{"spec":{"selector":{"`+release.LabelDeployment+`":"nobody"}}}`)
				return nil
			},
			address: theDeployment,
			want:    driftLine{Object: "Service/" + name, Field: "spec.selector", Manager: somebody},
		},
		"port of main": {
			change: func(_ context.Context, l *lab) error {
				l.patchService("api", `{"spec":{"ports":[{"port":80,"targetPort":"admin"}]}}`)
				return nil
			},
			address: theMain,
			want:    driftLine{Object: "Service/api", Manager: somebody},
		},
		"port added to main": {
			change: func(_ context.Context, l *lab) error {
				l.patchService("api", `{"spec":{"ports":[{"name":"admin","port":81,"targetPort":9090}]}}`)
				return nil
			},
			address: theMain,
			want: driftLine{
				Object: "Service/api", Field: "spec.ports[81/TCP]", Expected: "", Manager: somebody,
				Actual: `{"name":"admin","port":81,"protocol":"TCP","targetPort":9090}`,
			},
		},
		"number of a port of main": {
			change: func(ctx context.Context, l *lab) error {
				_, err := l.cluster.Client().CoreV1().Services(l.namespace).Patch(ctx, "api", types.JSONPatchType,
					[]byte(`[{"op":"replace","path":"/spec/ports/0/port","value":81}]`), metav1.PatchOptions{FieldManager: somebody})
				return err
			},
			address: theMain,
			want:    driftLine{Object: "Service/api", Field: "spec.ports[81/TCP]", Manager: somebody},
		},
		"port added to the release's Service": {
			change: func(_ context.Context, l *lab) error {
				l.patchService(name, `{"spec":{"ports":[{"name":"admin","port":81,"targetPort":9090}]}}`)
				return nil
			},
			address: theDeployment,
			want:    driftLine{Object: "Service/" + name, Field: "spec.ports[81/TCP]", Manager: somebody},
		},
		"scaled to zero": {
			change: func(ctx context.Context, l *lab) error {
				scale := &autoscalingv1.Scale{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: l.namespace}}
				_, err := l.cluster.Client().AppsV1().Deployments(l.namespace).UpdateScale(ctx, name, scale, metav1.UpdateOptions{FieldManager: somebody})
				l.eventuallyPods(name, 0)
				return err
			},
			address:  theDeployment,
			want:     driftLine{Object: "Deployment/" + name, Field: "spec.replicas", Expected: "1", Actual: "0", Manager: unrecorded},
			restarts: true,
		},
		"selector of main": {
			change: func(_ context.Context, l *lab) error {
				l.patchService("api", `{"spec":{"selector":{"extra":"label"}}}`)
				return nil
			},
			address:  theMain,
			want:     driftLine{Object: "Service/api", Manager: somebody},
			restarts: true,
		},
		"deleted release's Service": {
			change: func(ctx context.Context, l *lab) error {
				return l.cluster.Client().CoreV1().Services(l.namespace).Delete(ctx, name, metav1.DeleteOptions{})
			},
			address: theDeployment,
			want:    driftLine{Object: "Service/" + name, Manager: deleted},
		},
		"deleted main Service": {
			change: func(ctx context.Context, l *lab) error {
				return l.cluster.Client().CoreV1().Services(l.namespace).Delete(ctx, "api", metav1.DeleteOptions{})
			},
			address:  theMain,
			want:     driftLine{Object: "Service/api", Manager: deleted},
			restarts: true,
		},
		"deleted workload": {
			change: func(ctx context.Context, l *lab) error {
				if err := l.cluster.Client().AppsV1().Deployments(l.namespace).Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
					return err
				}
				l.eventuallyPods(name, 0)
				return nil
			},
			address:  theDeployment,
			want:     driftLine{Object: "Deployment/" + name, Manager: deleted},
			restarts: true,
		},
		"deleted record": {
			change: func(ctx context.Context, l *lab) error {
				return l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Delete(ctx, name, metav1.DeleteOptions{})
			},
			address: theDeployment,
			want:    driftLine{Object: "ConfigMap/" + name, Manager: deleted},
		},
		"deleted pointer": {
			change: func(ctx context.Context, l *lab) error {
				return l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Delete(ctx, release.MainName("api"), metav1.DeleteOptions{})
			},
			address: theMain,
			want:    driftLine{Object: "ConfigMap/" + release.MainName("api"), Manager: deleted},
		},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			l := newLab(t)
			w, watch := l.inProcess(), l.watchMain()
			config := l.config(l.deployment(test.deployment...), l.main())
			w.apply(config)
			l.must(test.change(t.Context(), l))
			w.refresh()
			if found := w.drift(test.address); !slices.ContainsFunc(found, test.want.in) {
				t.Errorf("drift is %+v, want %+v", found, test.want)
			}
			w.apply(config).wantActions(test.address, "update")
			if found := w.drift(test.address); len(found) > 0 {
				t.Errorf("drift after the repair: %+v", found)
			}
			w.wantNoChanges()
			state, _ := w.attributes(theDeployment)
			l.wantMain(state["name"].(string))
			l.eventuallyPods(state["name"].(string), 1)
			if !test.restarts {
				watch.NeverEmpty(t)
			}
			w.destroy()
			l.wantNothingLeft()
		})
	}
}

// TestAccAddedPortIsNobodysConfiguration: an import leaves it out, and going back by the
// action, which knows no configuration, leaves it where it is. A plan shows it, and its
// apply removes it.
func TestAccAddedPortIsNobodysConfiguration(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(keepPrevious(1)))
	}
	w.apply(config("v1"))
	w.apply(config("v2"))
	l.patchService("api", `{"spec":{"ports":[{"name":"admin","port":81,"targetPort":9090}]}}`)
	w.do("state", "rm", theMain)
	w.do("import", "-input=false", "-no-color", theMain, l.namespace+"/api")
	w.refresh()
	if found := w.drift(theMain); len(found) != 1 || !(driftLine{Field: "spec.ports[81/TCP]", Manager: somebody}).in(found[0]) {
		t.Errorf("drift is %+v", found)
	}
	l.speak().invoke("switchback_rollback", data{"namespace": l.namespace, "application": "api"}).fine("is back on " + nameOf("v1"))
	if ports := l.address().Spec.Ports; len(ports) != 2 {
		t.Errorf("the ports are %+v", ports)
	}
	w.apply(config("v1"))
	if ports := l.address().Spec.Ports; len(ports) != 1 || ports[0].Port != 80 {
		t.Errorf("the ports are %+v", ports)
	}
	w.wantNoChanges()
	watch.Check(t, drain)
}

// in says that a line of drift is what d wants: empty fields match anything.
func (d driftLine) in(found driftLine) bool {
	matches := func(want, got string) bool { return want == "" || want == got || want == unrecorded && got == "" }
	return found.Cluster == "default" && matches(d.Object, found.Object) && matches(d.Field, found.Field) &&
		matches(d.Expected, found.Expected) && matches(d.Actual, found.Actual) && matches(d.Manager, found.Manager)
}

// unrecorded is the manager of a driftLine where the API server recorded none.
const unrecorded = "(none)"

// patchOf patches a workload; no name means the namespace's only one.
func patchOf(name, patch string) func(context.Context, *lab) error {
	return func(ctx context.Context, l *lab) error {
		if name == "" {
			list, err := l.cluster.Client().AppsV1().Deployments(l.namespace).List(ctx, metav1.ListOptions{LabelSelector: release.ManagedSelector})
			if err != nil {
				return err
			}
			name = list.Items[0].Name
		}
		l.patchWorkload(name, patch)
		return nil
	}
}

func TestAccPointerMovedBySomebodyElse(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	config := l.config(l.deployment(`for_each = toset(["v1", "v2"])`, `image = "demo/api:${each.key}"`), l.main(`deployment_id = switchback_deployment.api["v1"].id`))
	w.apply(config)
	l.patchService("api", `{"spec":{"selector":{"`+release.LabelDeployment+`":"`+nameOf("v2")+`"}}}`)
	w.refresh()
	w.wantState(theMain, "deployment_id", l.namespace+"/"+nameOf("v2"),
		"status_reason", fmt.Sprintf("the field manager %q moved the address from %s to %s on cluster %q", somebody, nameOf("v1"), nameOf("v2"), "default"))
	w.apply(config).wantActions(theMain, "update")
	l.wantMain(nameOf("v1"))
	w.wantNoChanges()
	watch.Check(t, drain)
}

// TestAccAddressLedAstray: a typo in the address's selector is no deployment. The plan of
// the repair neither keeps it nor removes for it what is there for going back, and the
// apply does what the plan says.
func TestAccAddressLedAstray(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(`drain = "0s"`))
	}
	id := func(tag string) string { return l.namespace + "/" + nameOf(tag) }
	w.apply(config("v1"))
	w.apply(config("v2"))
	l.patchService("api", `{"spec":{"selector":{"`+release.LabelDeployment+`":"api-typo"}}}`)
	w.refresh()
	w.wantState(theMain, "deployment_id", l.namespace+"/api-typo", "split", map[string]any{"default": map[string]any{}},
		"status_reason", fmt.Sprintf("the field manager %q moved the address from %s to api-typo on cluster %q, which is no deployment of the application: nobody gets the traffic", somebody, nameOf("v2"), "default"))
	w.apply(config("v2")).wantSummary(theMain, map[string]any{
		"action": "return", "from": nil, "to": id("v2"), "warm": true, "keeps": []any{id("v1")}, "removes": []any{},
		"text": "Moves the traffic back to " + id("v2") + ", whose pods run already. Keeps " + id("v1") + " for going back.",
	})
	l.wantMain(nameOf("v2"))
	l.wantReleases(nameOf("v1"), nameOf("v2"))
	w.wantState(theMain, "previous_deployment_id", id("v1"))
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}

func TestAccIgnoredDriftIsLeftAlone(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := l.config(l.deployment(`ignore_drift = ["spec.replicas", "spec.template.spec.containers[api].image"]`), l.main())
	w.apply(config)
	l.patchWorkload(nameOf("v1"), `{"spec":{"replicas":2,"template":{"spec":{"containers":[{"name":"api","image":"demo/api:hotfix"}]}}}}`)
	w.wantNoChanges()
	w.refresh()
	if found := w.drift(theDeployment); len(found) > 0 {
		t.Errorf("drift: %+v", found)
	}
	// Another change repairs neither.
	w.apply(l.config(l.deployment(`ignore_drift = ["spec.replicas", "spec.template.spec.containers[api].image"]`, `environment = "staging"`), l.main()))
	d := l.workload(nameOf("v1"))
	if got := d.Spec.Template.Spec.Containers[0].Image; got != "demo/api:hotfix" || *d.Spec.Replicas != 2 {
		t.Errorf("image %s and %d replicas: what was to be left alone was set back", got, *d.Spec.Replicas)
	}
	w.wantNoChanges()

	// No longer ignored, they are set back.
	w.apply(l.config(l.deployment(), l.main())).wantActions(theDeployment, "update")
	d = l.workload(nameOf("v1"))
	if got := d.Spec.Template.Spec.Containers[0].Image; got != "demo/api:v1" || *d.Spec.Replicas != 1 {
		t.Errorf("image %s and %d replicas, want what is configured", got, *d.Spec.Replicas)
	}
	w.wantNoChanges()
}

// A policy of the cluster's changes every Deployment, pod and Service on its
// way in, as an admission webhook does.
func TestAccAdmissionIsNoDrift(t *testing.T) {
	l := newLab(t)
	l.mutate("workloads", "apps", "deployments",
		`Object{metadata: Object.metadata{annotations: {"policy.example/seen": "yes"}}, spec: Object.spec{template: Object.spec.template{metadata: Object.spec.template.metadata{annotations: {"policy.example/injected": "yes"}}, spec: Object.spec.template.spec{priority: 0}}}}`)
	l.mutate("pods", "", "pods", `Object{metadata: Object.metadata{labels: {"policy.example/pod": "yes"}}}`)
	l.mutate("services", "", "services", `Object{metadata: Object.metadata{annotations: {"policy.example/seen": "yes"}}}`)
	// Policies come into force a moment after they were made.
	testcluster.Eventually(t, hang, "the policies to be in force", func() error {
		dry := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
		d, err := l.cluster.Client().AppsV1().Deployments(l.namespace).Create(t.Context(), someDeployment("probe"), dry)
		if err == nil && d.Annotations["policy.example/seen"] == "" {
			err = errors.New("nothing was changed")
		}
		return err
	})
	w := l.inProcess()
	config := func(replicas int) string {
		return l.config(l.deployment(fmt.Sprintf("replicas = %d", replicas), `annotations = { mine = "yes" }`), l.main())
	}
	w.apply(config(1))
	state, _ := w.attributes(theDeployment)
	d := l.workload(state["name"].(string))
	if d.Annotations["policy.example/seen"] != "yes" || d.Spec.Template.Annotations["policy.example/injected"] != "yes" {
		t.Fatalf("the policy did nothing: %v", d.Annotations)
	}
	w.wantNoChanges()
	w.apply(config(2)).wantActions(theDeployment, "update")
	w.wantNoChanges()
	w.refresh()
	if found := append(w.drift(theDeployment), w.drift(theMain)...); len(found) > 0 {
		t.Errorf("drift: %+v", found)
	}
}

// mutate makes a MutatingAdmissionPolicy for the lab's namespace.
func (l *lab) mutate(suffix, group, plural, expression string) {
	l.t.Helper()
	client, name := l.cluster.Client().AdmissionregistrationV1(), l.namespace+"-"+suffix
	fail, once := admissionv1.Fail, admissionv1.NeverReinvocationPolicy
	_, err := client.MutatingAdmissionPolicies().Create(l.t.Context(), &admissionv1.MutatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.MutatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: l.namespace}},
				ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
					Rule:       admissionv1.Rule{APIGroups: []string{group}, APIVersions: []string{"v1"}, Resources: []string{plural}},
				}}},
			},
			FailurePolicy:      &fail,
			ReinvocationPolicy: once,
			Mutations: []admissionv1.Mutation{{
				PatchType:          admissionv1.PatchTypeApplyConfiguration,
				ApplyConfiguration: &admissionv1.ApplyConfiguration{Expression: expression},
			}},
		},
	}, metav1.CreateOptions{})
	l.must(err)
	_, err = client.MutatingAdmissionPolicyBindings().Create(l.t.Context(), &admissionv1.MutatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: name},
	}, metav1.CreateOptions{})
	l.must(err)
	l.t.Cleanup(func() { // the context is over by then
		_ = client.MutatingAdmissionPolicyBindings().Delete(context.Background(), name, metav1.DeleteOptions{})
		_ = client.MutatingAdmissionPolicies().Delete(context.Background(), name, metav1.DeleteOptions{})
	})
}

// Pods that come and go, and are ready or not, must not show up in a state.
func TestAccFlappingPodsAreNotInTheState(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := l.config(l.deployment("replicas = 2"), l.main())
	w.apply(config)
	w.refresh()
	before := resourcesOf(w.stateText())
	l.setReady(nameOf("v1"), corev1.ConditionFalse)
	l.untilNoneReady(nameOf("v1"))
	w.wantNoChanges()
	w.refresh()
	l.must(l.cluster.Client().CoreV1().Pods(l.namespace).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}))
	w.refresh()
	l.setReady(nameOf("v1"), corev1.ConditionFalse)
	r := w.refresh()
	if after := resourcesOf(w.stateText()); before != after {
		t.Errorf("the state changed:\n%s\nand was:\n%s", after, before)
	}
	if strings.Contains(r.text, `"type":"resource_drift"`) {
		t.Errorf("the refresh tells of changes:\n%s", r.text)
	}
	w.wantNoChanges()
}

// resourcesOf cuts off the state's head, which has a serial number.
func resourcesOf(state string) string {
	_, rest, _ := strings.Cut(state, `"resources":`)
	return rest
}
