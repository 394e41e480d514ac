package provider_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// holdsWith lets another manager hold fields of a workload, as whoever applies manifests
// does; where it has their values already, nothing but managedFields tells.
func (l *lab) holdsWith(name, fields string) {
	l.t.Helper()
	force := true
	body := `{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "` + name + `"}, "spec": ` + fields + `}`
	_, err := l.cluster.Client().AppsV1().Deployments(l.namespace).Patch(l.t.Context(), name, types.ApplyPatchType, []byte(body), metav1.PatchOptions{FieldManager: "manifests", Force: &force})
	l.must(err)
}

// TestAccStrategyThatOthersHold: what a configuration changes is changed, whoever else has
// a hand on it, in the apply whose plan shows it. What is set of a rolling update by
// somebody else does not outlive it.
func TestAccStrategyThatOthersHold(t *testing.T) {
	config := func(l *lab, s release.Strategy, lines ...string) string {
		return l.config(l.deployment(append(lines, strategy(s))...), l.main())
	}
	for name, touch := range map[string]func(l *lab){
		"another value": func(l *lab) {
			l.patchWorkload(inPlaceName, `{"spec": {"strategy": {"rollingUpdate": {"maxSurge": 2}}}}`)
		},
		"the same value": func(l *lab) {
			l.holdsWith(inPlaceName, `{"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}}`)
		},
		"applied": func(l *lab) { l.holdsWith(inPlaceName, `{"strategy": {"rollingUpdate": {"maxSurge": "50%"}}}`) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			w := l.inProcess()
			w.apply(config(l, release.StrategyRolling))
			touch(l)
			w.apply(config(l, release.StrategyRecreate)).wantActions(theDeployment, "update")
			if s := l.workload(inPlaceName).Spec.Strategy; s.Type != "Recreate" || s.RollingUpdate != nil {
				t.Errorf("the strategy is %+v", s)
			}
			w.wantNoChanges()
			w.apply(config(l, release.StrategyRecreate, image("v2"))).wantActions(theDeployment, "update")
			w.wantNoChanges()
			w.apply(config(l, release.StrategyRolling, image("v2")))
			w.wantNoChanges()
			w.destroy()
			l.wantNothingLeft()
		})
	}
}

// TestAccContentThatOthersHold: a version is bumped in place although somebody else has
// applied the image that was there, too.
func TestAccContentThatOthersHold(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(lines ...string) string {
		return l.config(l.deployment(append(lines, strategy(release.StrategyRolling))...), l.main())
	}
	w.apply(config())
	l.holdsWith(inPlaceName, `{"template": {"spec": {"containers": [{"name": "api", "image": "demo/api:v1"}]}}}`)
	w.wantNoChanges()
	w.apply(config(image("v2"))).wantActions(theDeployment, "update")
	w.wantState(theDeployment, "version", "v2", "status", "started")
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}

// edit is what somebody does with kubectl edit: a JSON patch, as its result has no
// other trace.
func (l *lab) editService(name string, operations ...string) {
	l.t.Helper()
	_, err := l.cluster.Client().CoreV1().Services(l.namespace).Patch(l.t.Context(), name, types.JSONPatchType, []byte("["+strings.Join(operations, ",")+"]"), metav1.PatchOptions{FieldManager: somebody})
	l.must(err)
}

func (l *lab) editWorkload(name string, operations ...string) {
	l.t.Helper()
	_, err := l.cluster.Client().AppsV1().Deployments(l.namespace).Patch(l.t.Context(), name, types.JSONPatchType, []byte("["+strings.Join(operations, ",")+"]"), metav1.PatchOptions{FieldManager: somebody})
	l.must(err)
}

// set is an operation of a JSON patch.
func set(path, value string) string {
	return `{"op": "add", "path": "` + path + `", "value": ` + value + `}`
}

func (l *lab) serviceNamed(name string) *corev1.Service {
	l.t.Helper()
	svc, err := l.cluster.Client().CoreV1().Services(l.namespace).Get(l.t.Context(), name, metav1.GetOptions{})
	l.must(err)
	return svc
}

// TestAccPortThatOthersRenumber: a Service's port that somebody has given another number,
// protocol or name is taken back by the apply whose plan shows it. The addresses and the
// ports on the nodes stay, and there is no moment without the port.
func TestAccPortThatOthersRenumber(t *testing.T) {
	const first = "/spec/ports/0/"
	for name, edit := range map[string][]string{
		"number":              {set(first+"port", "81")},
		"number and name":     {set(first+"port", "81"), `{"op": "remove", "path": "` + first + `name"}`},
		"number and target":   {set(first+"port", "81"), set(first+"targetPort", `"admin"`)},
		"protocol":            {set(first+"protocol", `"UDP"`)},
		"number, and another": {set(first+"port", "81"), set("/spec/ports/-", `{"name": "more", "port": 9090}`)},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			w := l.inProcess()
			config := l.config(l.deployment(), l.main(`traffic = { service = { type = "NodePort", ports = { http = 80 } } }`))
			w.apply(config)
			for _, of := range []struct{ service, address string }{{"api", theMain}, {nameOf("v1"), theDeployment}} {
				before := l.serviceNamed(of.service)
				l.editService(of.service, edit...)
				writes := l.watchPorts(of.service)
				w.apply(config).wantActions(of.address, "update")
				after := l.serviceNamed(of.service)
				if len(after.Spec.Ports) != 1 { // what somebody has put beside it goes, too
					t.Fatalf("the Service %s has %+v", of.service, after.Spec.Ports)
				}
				got, want := after.Spec.Ports[0], before.Spec.Ports[0]
				if strings.Contains(edit[len(edit)-1], "remove") {
					want.NodePort = got.NodePort // the API server knows it by the port's name
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("the Service %s has %+v, and had %+v", of.service, got, want)
				}
				if after.UID != before.UID || after.Spec.ClusterIP != before.Spec.ClusterIP {
					t.Errorf("the Service %s is another one", of.service)
				}
				writes()
				w.wantNoChanges()
			}
			// What the configuration changes afterwards is changed.
			w.apply(l.config(l.deployment(), l.main(`traffic = { service = { type = "NodePort", ports = { http = 8080 } } }`)))
			if ports := l.serviceNamed("api").Spec.Ports; len(ports) != 1 || ports[0].Port != 8080 {
				t.Errorf("the Service has %+v", ports)
			}
			w.wantNoChanges()
			w.destroy()
			l.wantNothingLeft()
		})
	}
}

// watchPorts records a Service from now on. The result fails the test unless it had one
// port for http all the time.
func (l *lab) watchPorts(name string) (check func()) {
	l.t.Helper()
	list := metav1.ListOptions{FieldSelector: "metadata.name=" + name, ResourceVersion: l.serviceNamed(name).ResourceVersion}
	watch, err := l.cluster.Client().CoreV1().Services(l.namespace).Watch(l.t.Context(), list)
	l.must(err)
	return func() {
		l.t.Helper()
		defer watch.Stop()
		last := l.serviceNamed(name).ResourceVersion
		for event := range watch.ResultChan() {
			svc, ok := event.Object.(*corev1.Service)
			if !ok {
				l.t.Fatalf("the watch says %+v", event.Object)
			}
			if n := len(svc.Spec.Ports) - strings.Count(fmt.Sprint(svc.Spec.Ports), "more"); n != 1 {
				l.t.Errorf("meanwhile, the Service had %+v", svc.Spec.Ports)
			}
			if svc.ResourceVersion == last {
				return
			}
		}
		l.t.Fatal("the watch ended")
	}
}

// TestAccPodFieldsThatOthersReplace: what the API server takes only one of is taken back,
// too: a port's number by its name, where a variable comes from, and how a probe asks.
func TestAccPodFieldsThatOthersReplace(t *testing.T) {
	const container = "/spec/template/spec/containers/0/"
	for name, edit := range map[string][]string{
		"a port's number": {set(container+"ports/0/containerPort", "9090")},
		"a variable":      {`{"op": "remove", "path": "` + container + `env/0/value"}`, set(container+"env/0/valueFrom", `{"fieldRef": {"fieldPath": "metadata.name"}}`)},
		"a probe":         {`{"op": "remove", "path": "` + container + `livenessProbe/httpGet"}`, set(container+"livenessProbe/tcpSocket", `{"port": 8080}`)},
		"a volume":        {`{"op": "remove", "path": "/spec/template/spec/volumes/0/emptyDir"}`, set("/spec/template/spec/volumes/0/configMap", `{"name": "none", "optional": true}`)},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			w := l.inProcess()
			config := l.config(l.deployment(`container = { ports = { http = 8080 }, env = { LEVEL = "info" }, liveness_probe = { http_get = { path = "/healthz", port = "http" } } }`,
				`volumes = { data = { empty_dir = {} } }`), l.main())
			w.apply(config)
			name := w.nameInState()
			before := l.workload(name).Spec.Template.Spec
			l.editWorkload(name, edit...)
			w.apply(config).wantActions(theDeployment, "update")
			if after := l.workload(name).Spec.Template.Spec; !reflect.DeepEqual(after, before) {
				t.Errorf("the pods are %+v, and were %+v", after, before)
			}
			w.wantNoChanges()
			w.destroy()
			l.wantNothingLeft()
		})
	}
}
