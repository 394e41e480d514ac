package workload_test

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

func has(manager string, operation metav1.ManagedFieldsOperationType, fields string) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{Manager: manager, Operation: operation, APIVersion: "v1", FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields)}
}

func portsService(ports ...corev1.ServicePort) *corev1.Service {
	return &corev1.Service{Spec: corev1.ServiceSpec{Ports: ports}}
}

func podOf(container corev1.Container, volumes ...corev1.Volume) *appsv1.Deployment {
	return &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{container}, Volumes: volumes}}}}
}

// TestWhatIsInTheWayOfAnApply: what lives, and the API server would not take beside ours.
func TestWhatIsInTheWayOfAnApply(t *testing.T) {
	t.Parallel()
	http := corev1.ServicePort{Name: "http", Port: 80, Protocol: "TCP"}
	at := func(number int32, change ...func(*corev1.ServicePort)) corev1.ServicePort {
		p := http
		p.Port = number
		for _, c := range change {
			c(&p)
		}
		return p
	}
	container := func(change func(*corev1.Container)) *appsv1.Deployment {
		c := corev1.Container{Name: "api"}
		change(&c)
		return podOf(c)
	}
	get, dial := &corev1.HTTPGetAction{Path: "/"}, &corev1.TCPSocketAction{Port: intstr.FromInt32(80)}
	for name, c := range map[string]struct {
		live, want workload.Object
		field      string // of ours; empty: nothing is in the way
	}{
		"nothing":         {portsService(http), portsService(http), ""},
		"another target":  {portsService(at(80, func(p *corev1.ServicePort) { p.TargetPort = intstr.FromInt32(1) })), portsService(http), ""},
		"another number":  {portsService(at(81)), portsService(http), "spec.ports[80/TCP]"},
		"no protocol":     {portsService(at(81)), portsService(corev1.ServicePort{Name: "http", Port: 80}), "spec.ports[80/TCP]"},
		"one more":        {portsService(http, at(81, func(p *corev1.ServicePort) { p.Name = "more" })), portsService(http), ""},
		"no name":         {portsService(at(81, func(p *corev1.ServicePort) { p.Name = "" })), portsService(http), "spec.ports[80/TCP]"},
		"names exchanged": {portsService(at(90), at(80, func(p *corev1.ServicePort) { p.Name = "grpc" })), portsService(http, at(90, func(p *corev1.ServicePort) { p.Name = "grpc" })), ""},
		"a node's port": {
			portsService(at(81, func(p *corev1.ServicePort) { p.Name, p.NodePort = "more", 30080 })),
			portsService(at(80, func(p *corev1.ServicePort) { p.NodePort = 30080 })), "spec.ports[80/TCP]",
		},
		"another protocol": {portsService(at(80, func(p *corev1.ServicePort) { p.Protocol = "UDP" })), portsService(http), "spec.ports[80/TCP]"},
		"a container's port": {
			container(func(c *corev1.Container) {
				c.Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: 81, Protocol: "TCP"}}
			}),
			container(func(c *corev1.Container) { c.Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: 80}} }),
			"spec.template.spec.containers[api].ports[80/TCP]",
		},
		"a container's port without a name": {
			container(func(c *corev1.Container) { c.Ports = []corev1.ContainerPort{{ContainerPort: 81, Protocol: "TCP"}} }),
			container(func(c *corev1.Container) { c.Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: 80}} }), "",
		},
		"a variable's source": {
			container(func(c *corev1.Container) {
				c.Env = []corev1.EnvVar{{Name: "A", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}}}
			}),
			container(func(c *corev1.Container) { c.Env = []corev1.EnvVar{{Name: "A", Value: "a"}} }),
			"spec.template.spec.containers[api].env[A].value",
		},
		"another variable": {
			container(func(c *corev1.Container) { c.Env = []corev1.EnvVar{{Name: "B", Value: "a"}} }),
			container(func(c *corev1.Container) { c.Env = []corev1.EnvVar{{Name: "A", Value: "a"}} }), "",
		},
		"a probe": {
			container(func(c *corev1.Container) {
				c.LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: dial}, PeriodSeconds: 3}
			}),
			container(func(c *corev1.Container) {
				c.LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: get}, PeriodSeconds: 5}
			}),
			"spec.template.spec.containers[api].livenessProbe.httpGet",
		},
		"a volume": {
			podOf(corev1.Container{Name: "api"}, corev1.Volume{Name: "data", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "s"}}}),
			podOf(corev1.Container{Name: "api"}, corev1.Volume{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}),
			"spec.template.spec.volumes[data].emptyDir",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var fields []string
			for _, conflict := range workload.Conflicts(workload.Blockers(c.live, c.want)) {
				fields = append(fields, workload.FieldPath(conflict.Field))
			}
			if got := strings.Join(fields, " "); got != c.field {
				t.Errorf("in the way: %q, want %q", got, c.field)
			}
		})
	}
}

// TestWhatIsInTheWayIsTaken: from everybody who has something of it, and nothing else is.
func TestWhatIsInTheWayIsTaken(t *testing.T) {
	t.Parallel()
	const item = `"k:{\"port\":81,\"protocol\":\"TCP\"}":{".":{},"f:name":{},"f:port":{}}`
	live := portsService(corev1.ServicePort{Name: "http", Port: 81, Protocol: "TCP"})
	want := portsService(corev1.ServicePort{Name: "http", Port: 80, Protocol: "TCP"})
	ours := has(release.FieldManager, metav1.ManagedFieldsOperationApply, `{"f:spec":{"f:type":{}}}`)
	live.ManagedFields = []metav1.ManagedFieldsEntry{
		has("kubectl", metav1.ManagedFieldsOperationUpdate, `{"f:spec":{"f:ports":{".":{},`+item+`}}}`), ours,
		has("other", metav1.ManagedFieldsOperationUpdate, `{"f:spec":{"f:ports":{`+item+`}}}`),
	}
	blockers := workload.Blockers(live, want)
	if all := workload.Conflicts(blockers); len(all) != 1 || all[0].Manager != "kubectl" {
		t.Fatalf("in the way: %+v", all)
	}
	taken, err := workload.Seized(live, "v1", blockers)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, entry := range taken.GetManagedFields() {
		got[entry.Manager] = entry.FieldsV1.GetRawString()
	}
	if len(got) != 2 || got["kubectl"] != `{"f:spec":{"f:ports":{}}}` || !strings.Contains(got[release.FieldManager], `"f:type"`) || !strings.Contains(got[release.FieldManager], `\"port\":81`) {
		t.Errorf("they have %v", got)
	}
	if live.ManagedFields[0].FieldsV1.GetRawString() == got["kubectl"] {
		t.Error("what lives was changed")
	}

	// What is ours alone, the apply removes.
	live.ManagedFields = []metav1.ManagedFieldsEntry{has(release.FieldManager, metav1.ManagedFieldsOperationApply, `{"f:spec":{"f:ports":{`+item+`}}}`)}
	if found := workload.Blockers(live, want); len(found) > 0 {
		t.Errorf("in the way: %+v", found)
	}
	// And of an object of which nobody has anything, the first one to apply.
	live.ManagedFields = nil
	taken, err = workload.Seized(live, "v1", workload.Blockers(live, want))
	if err != nil || len(taken.GetManagedFields()) != 1 || taken.GetManagedFields()[0].APIVersion != "v1" {
		t.Errorf("%v, %v", taken.GetManagedFields(), err)
	}
}
