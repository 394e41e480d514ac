package provider_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// labelled puts labels on the lab's namespace.
func (l *lab) labelled(labels map[string]string) {
	l.t.Helper()
	namespace, err := l.cluster.Client().CoreV1().Namespaces().Get(l.t.Context(), l.namespace, metav1.GetOptions{})
	l.must(err)
	for key, value := range labels {
		metav1.SetMetaDataLabel(&namespace.ObjectMeta, key, value)
	}
	_, err = l.cluster.Client().CoreV1().Namespaces().Update(l.t.Context(), namespace, metav1.UpdateOptions{})
	l.must(err)
}

// advised is a deployment of which a plan has nothing to say.
func (l *lab) advised() data {
	probe := data{"tcp_socket": data{"port": "http"}}
	return changed(l.deploymentData("v1"), data{"container": data{"ports": data{"http": 8080}, "readiness_probe": probe, "resources": data{"limits": data{"memory": "64Mi"}}}})
}

// changed is data with some of it otherwise.
func changed(d data, changes data) data {
	next := data{}
	for key, value := range d {
		next[key] = value
	}
	for key, value := range changes {
		next[key] = value
	}
	return next
}

// TestPlanAsksTheServer: what the API server refuses is an error of the plan, on the
// attribute that it comes from.
func TestPlanAsksTheServer(t *testing.T) {
	t.Parallel()
	const failure, warning = tfprotov6.DiagnosticSeverityError, tfprotov6.DiagnosticSeverityWarning
	for name, tt := range map[string]struct {
		begin  func(*lab)
		change data
		at     tfprotov6.DiagnosticSeverity
		says   []string
	}{
		"a patch": {
			change: data{"pod_template_patch": "spec: { hostNetwork: true, dnsPolicy: Sometimes }"}, at: failure,
			says: []string{`AttributeName("pod_template_patch")`, "dnsPolicy", "Sometimes", "server_dry_run = false"},
		},
		"a request above its limit": {
			change: data{"container": data{"resources": data{"requests": data{"cpu": "2"}, "limits": data{"cpu": "1"}}}}, at: failure,
			says: []string{`AttributeName("container")`, `AttributeName("resources")`, "cpu"},
		},
		"Pod Security": {
			begin:  func(l *lab) { l.labelled(map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}) },
			change: data{"pod_security": "none"}, at: failure, says: []string{`AttributeName("pod_security")`, "violates PodSecurity", `set pod_security = "restricted"`},
		},
		"Pod Security that warns": {
			begin:  func(l *lab) { l.labelled(map[string]string{"pod-security.kubernetes.io/warn": "restricted"}) },
			change: data{"pod_security": "none"}, at: warning, says: []string{"The API server warns", "violate PodSecurity"},
		},
		"a LimitRange": {
			begin: func(l *lab) {
				_, err := l.cluster.Client().CoreV1().LimitRanges(l.namespace).Create(l.t.Context(), &corev1.LimitRange{
					ObjectMeta: metav1.ObjectMeta{Name: "small"},
					Spec:       corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer, Max: corev1.ResourceList{corev1.ResourceMemory: quantity("1Gi")}}}},
				}, metav1.CreateOptions{})
				l.must(err)
			},
			change: data{"container": data{"resources": data{"limits": data{"memory": "2Gi"}}}}, at: failure, says: []string{"maximum memory usage per Container is 1Gi"},
		},
		"a quota that is used up": {
			begin: func(l *lab) {
				_, err := l.cluster.Client().CoreV1().ResourceQuotas(l.namespace).Create(l.t.Context(), &corev1.ResourceQuota{
					ObjectMeta: metav1.ObjectMeta{Name: "full"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: quantity("0")}},
				}, metav1.CreateOptions{})
				l.must(err)
			},
			at: warning, says: []string{"No room in the namespace", "exceeded quota: full"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			if tt.begin != nil {
				tt.begin(l)
			}
			p := l.speak()
			config := changed(l.advised(), tt.change)
			var plan []*tfprotov6.Diagnostic
			testcluster.Eventually(t, testcluster.Hang, "the plan to be told", func() error { // admission reads caches of its own
				if plan = p.planned(config); tt.begin == nil || strings.Contains(said(plan, tt.at), tt.says[0]) {
					return nil
				}
				p = l.speak() // each run asks once
				return errors.New("nothing is said yet")
			})
			wantSays(t, plan, tt.at, tt.says...)
			if tt.at == warning {
				p.fine(plan)
			}
			l.wantNothingLeft()
		})
	}
}

// TestPlanThatCannotAsk: nothing is said where an answer cannot be had, or would be
// another one at the apply, unless the user wants to know.
func TestPlanThatCannotAsk(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		config func(*lab) data
		fault  func() testcluster.Fault
	}{
		"a namespace that is not there": {config: func(l *lab) data { return changed(l.advised(), data{"namespace": "not-there-yet"}) }},
		"a service account that is not there": {config: func(l *lab) data {
			return changed(l.advised(), data{"service_account_name": "not-there-yet"})
		}},
		"no permission": {fault: func() testcluster.Fault {
			return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, `pods is forbidden: User "ada" cannot create resource "pods"`)
		}},
		"a webhook that takes no dry runs": {fault: func() testcluster.Fault {
			return testcluster.Reject(http.StatusBadRequest, metav1.StatusReasonBadRequest, `admission webhook "x.example.com" does not support dry run`)
		}},
		"a server that fails": {fault: func() testcluster.Fault {
			return testcluster.Reject(http.StatusInternalServerError, metav1.StatusReasonInternalError, "failed calling webhook")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			proxy := l.cluster.Proxy(t)
			proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
				if r.DryRun() && tt.fault != nil {
					return tt.fault()
				}
				return testcluster.Fault{}
			})
			config := l.advised()
			if tt.config != nil {
				config = tt.config(l)
			}
			plan := l.speakThrough(proxy).planned(config)
			if text := said(plan, tfprotov6.DiagnosticSeverityError) + said(plan, tfprotov6.DiagnosticSeverityWarning); text != "" {
				t.Errorf("the plan says:\n%s", text)
			}
			insists := speakWith(t, data{"clusters": data{"default": data{"config_path": proxy.KubeconfigPath}}, "server_dry_run": true})
			wantSays(t, insists.planned(config), tfprotov6.DiagnosticSeverityWarning, "The API server was not asked")
		})
	}
}

// TestWhatAPlanAsks: the objects of a create and one of its pods, each once in a run;
// nothing where nothing changes, where it is switched off, or where the release runs.
func TestWhatAPlanAsks(t *testing.T) {
	l := newLab(t)
	proxy := l.cluster.Proxy(t)
	asked := func(do func()) []string {
		t.Helper()
		proxy.Reset()
		do()
		var kinds []string
		for _, r := range proxy.Requests() {
			if r.DryRun() {
				kinds = append(kinds, strings.Split(strings.SplitAfter(r.Path, l.namespace+"/")[1], "/")[0])
			}
		}
		slices.Sort(kinds)
		return kinds
	}
	p, config := l.speakThrough(proxy), l.advised()
	all := []string{"deployments", "pods", "services"}
	wantSame(t, "a create asks", asked(func() { p.fine(p.planned(config)) }), all)
	wantSame(t, "again", asked(func() { p.fine(p.planned(config)) }), []string(nil))

	off := speakWith(t, data{"clusters": data{"default": data{"config_path": proxy.KubeconfigPath}}, "server_dry_run": false})
	wantSame(t, "switched off", asked(func() { off.fine(off.planned(config)) }), []string(nil))

	made := p.change(t.Context(), deploymentType, config, nil)
	p.fine(made.diagnostics)
	wantSame(t, "no change", asked(func() { p.fine(l.replanned(p, config, made)) }), []string(nil))
	more := changed(config, data{"replicas": 2})
	wantSame(t, "a change in place", asked(func() { p.fine(l.replanned(p, more, made)) }), []string{"deployments", "poddisruptionbudgets"})
	warm := l.speakThrough(proxy)
	wantSame(t, "what runs", asked(func() { warm.fine(warm.planned(config)) }), []string(nil))
}

// replanned is what a plan over a state says.
func (l *lab) replanned(p *protocol, config data, prior object) []*tfprotov6.Diagnostic {
	l.t.Helper()
	typ := p.resourceType(deploymentType)
	resp, err := p.server.PlanResourceChange(l.t.Context(), &tfprotov6.PlanResourceChangeRequest{
		TypeName: deploymentType, Config: p.pack(typ, config), PriorState: p.pack(typ, prior.state), ProposedNewState: p.pack(typ, changed(prior.state, config)), PriorPrivate: prior.private,
	})
	l.must(err)
	return resp.Diagnostics
}

// TestDryRunPermissions: a plan with no more than the permissions of a refresh goes on
// to work.
func TestDryRunPermissions(t *testing.T) {
	l := newLab(t)
	reader := l.cluster.RestrictedKubeconfig(t, l.namespace, []rbacv1.PolicyRule{
		{APIGroups: []string{"", "apps"}, Resources: []string{"configmaps", "services", "deployments"}, Verbs: []string{"get", "list", "watch"}},
	})
	p := speak(t, map[string]string{"default": reader})
	plan := p.planned(l.advised())
	if text := said(plan, tfprotov6.DiagnosticSeverityError) + said(plan, tfprotov6.DiagnosticSeverityWarning); text != "" {
		t.Errorf("the plan says:\n%s", text)
	}
}

// TestPlanRepeatsNoVariable: a policy that quotes what it refuses puts no value of the
// environment into a plan.
func TestPlanRepeatsNoVariable(t *testing.T) {
	for kind, what := range map[string]string{"/deployments": "the Deployment", "/pods": "a Pod"} {
		t.Run(what, func(t *testing.T) {
			l := newLab(t)
			proxy := l.cluster.Proxy(t)
			proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
				if r.DryRun() && strings.HasSuffix(r.Path, kind) {
					return testcluster.Reject(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, "denied request: correct-horse-battery is not wanted")
				}
				return testcluster.Fault{}
			})
			config := l.advised()
			config["container"] = changed(config["container"].(data), data{"env": data{"PHRASE": "correct-horse-battery"}})
			plan := l.speakThrough(proxy).planned(config)
			wantSays(t, plan, tfprotov6.DiagnosticSeverityError, "is not wanted", what)
			if text := said(plan, tfprotov6.DiagnosticSeverityError); strings.Contains(text, "correct-horse") {
				t.Errorf("the plan says:\n%s", text)
			}
		})
	}
}
