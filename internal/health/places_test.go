package health_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
)

const controlPlane = "testdata/captured-controlplane/"

// wantFinding fails the test unless the finding is as said.
func wantFinding(t *testing.T, f health.Finding, cause health.Cause, class health.Class, tells ...string) {
	t.Helper()
	if f.Cause != cause || f.Class != class {
		t.Errorf("got %s, %s; want %s, %s: %+v", f.Cause, f.Class, cause, class, f)
	}
	for _, text := range tells {
		if !strings.Contains(f.Sentence+"\n"+f.Evidence+"\n"+f.Hint, text) {
			t.Errorf("%q is not told: %+v", text, f)
		}
	}
}

// The texts are those of Kubernetes 1.30 to 1.36, and of what is often installed.
func TestRefusals(t *testing.T) {
	for text, want := range map[string]struct {
		cause health.Cause
		class health.Class
		tells string
	}{
		`pods "a" is forbidden: exceeded quota: team, requested: limits.cpu=1,requests.memory=2Gi, used: limits.cpu=4,requests.memory=7Gi, limited: limits.cpu=4,requests.memory=8Gi`: {
			health.CauseQuota, health.Certain, `"team" has no room for the pods: one needs limits.cpu=1,requests.memory=2Gi, and limits.cpu=4,requests.memory=7Gi of limits.cpu=4,requests.memory=8Gi are in use`,
		},
		`pods "a" is forbidden: failed quota: team: must specify limits.cpu for: web; requests.memory for: helper,web`: {
			health.CauseQuota, health.Certain, "limits.cpu for: web; requests.memory for: helper,web",
		},
		`pods "a" is forbidden: insufficient quota to match these scopes: [{PriorityClass In [high]}]`:                         {health.CauseQuota, health.Certain, "PriorityClass In [high]"},
		`pods "a" is forbidden: status unknown for quota: team, resources: pods`:                                               {health.CauseQuota, health.Patient, "has not been counted yet"},
		`pods "a" is forbidden: minimum memory usage per Pod is 1Gi.  No request is specified`:                                 {health.CauseLimitRange, health.Certain, "minimum memory usage per Pod is 1Gi.  No request is specified"},
		`pods "a" is forbidden: [maximum cpu usage per Container is 500m, but limit is 1, minimum memory…]`:                    {health.CauseLimitRange, health.Certain, "maximum cpu usage per Container is 500m, but limit is 1"},
		`pods "a" is forbidden: memory max limit to request ratio per Container is 2, but no limit is specified or limit is 0`: {health.CauseLimitRange, health.Certain, "closer together"},
		`pods "a" is forbidden: violates PodSecurity "restricted:v1.30": allowPrivilegeEscalation != false`:                    {health.CausePodSecurity, health.Certain, "level restricted"},
		`pods "a" is forbidden: error looking up service account shop/robot: serviceaccount "robot" not found`:                 {health.CauseNoServiceAccount, health.Certain, `create the ServiceAccount "robot"`},
		`admission webhook "validate.kyverno.svc-fail" denied the request: ` + "\n\nresource Pod/shop/a was blocked due to the following policies": {
			health.CauseAdmissionDenied, health.Certain, "validate.kyverno.svc-fail refuses the pods",
		},
		`admission webhook "validation.gatekeeper.sh" denied the request: [repos] violates PodSecurity "x:y": no`:                                        {health.CauseAdmissionDenied, health.Certain, "validation.gatekeeper.sh"},
		`admission webhook "policy.example.com" denied the request without explanation`:                                                                  {health.CauseAdmissionDenied, health.Certain, "policy.example.com"},
		`Internal error occurred: failed calling webhook "istio": failed to call webhook: Post "https://istiod": no endpoints available for service "i"`: {health.CauseAdmissionUnavailable, health.Patient, "the admission webhook istio, which"},
		`Internal error occurred: failed calling webhook "x": failed to call webhook: Post "https://x": context deadline exceeded`:                       {health.CauseAdmissionUnavailable, health.Patient, "failurePolicy"},
		`Internal error occurred: resource quota evaluation timed out`:                                                                                   {health.CausePodsRefused, health.Patient, "fails to create pods"},
		`pods "a" is forbidden: ValidatingAdmissionPolicy 'small' with binding 'here' denied request: failed expression: object.spec.replicas <= 5`:      {health.CauseAdmissionDenied, health.Certain, "the ValidatingAdmissionPolicy small refuses"},
		`pods "a" is forbidden: PodDisruption is not what this is about`:                                                                                 {health.CausePodsRefused, health.Certain, "the cluster refuses to create pods"},
	} {
		in := fixture(t, "testdata/webhook.yaml")
		in.Workload.Status.Conditions[0].Message = text
		wantFinding(t, health.Compute(in).Findings[0], want.cause, want.class, want.tells)
	}
}

// TestARefusalQuotesNoVariable: of what a policy quotes, the values of the container's
// environment are left out.
func TestARefusalQuotesNoVariable(t *testing.T) {
	in := fixture(t, "testdata/webhook.yaml")
	in.Workload.Spec.Template.Spec.Containers = []corev1.Container{{Name: "web", Env: []corev1.EnvVar{{Name: "DSN", Value: "secret-of-mine"}}}}
	in.Workload.Status.Conditions[0].Message = `pods "a" is forbidden: ValidatingAdmissionPolicy 'small' with binding 'here' denied request: DSN is secret-of-mine`
	wantFinding(t, health.Compute(in).Findings[0], health.CauseAdmissionDenied, health.Certain, "denied request: DSN is ***")
}

// A refusal is also told where the workload does not tell it yet; an event alone
// may be about what has passed.
func TestWhereARefusalIsTold(t *testing.T) {
	in := fixture(t, controlPlane+"quota-unset.yaml")
	conditions := in.Workload.Status.Conditions
	in.Workload.Status.Conditions = nil
	wantFinding(t, health.Compute(in).Findings[0], health.CauseQuota, health.Certain)
	in.ReplicaSets[0].Status.Conditions = nil
	wantFinding(t, health.Compute(in).Findings[0], health.CauseQuota, health.Patient, "must specify limits.cpu")
	in.Events = nil
	if got := health.Compute(in).Findings; len(got) > 0 {
		t.Errorf("without anything that tells: %+v", got)
	}
	for i := range conditions {
		conditions[i].Reason = "FailedDelete"
	}
	in.Workload.Status.Conditions = conditions
	if got := health.Compute(in).Findings; len(got) > 0 {
		t.Errorf("pods that cannot be deleted are none that cannot be made: %+v", got)
	}
}

// What refused the pods may be over by now.
func TestServiceAccountThatIsThereByNow(t *testing.T) {
	in := fixture(t, controlPlane+"service-account-missing.yaml")
	in.Around.ServiceAccounts = []*corev1.ServiceAccount{{ObjectMeta: metav1.ObjectMeta{Name: "robot"}}}
	if got := health.Compute(in); got.State != health.Progressing {
		t.Errorf("got %+v", got)
	}
}

func TestObstacles(t *testing.T) {
	for message, tells := range map[string][]string{
		"0/5 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 4 Insufficient memory. preemption: 0/5 nodes are available: 5 No preemption victims found for incoming pod.": {
			"no node takes the pod: 4 of 5 nodes have too little memory left, 1 of 5 nodes have the taint node-role.kubernetes.io/control-plane, which the pod does not tolerate; the pod asks for memory 128Mi",
			"lower resources.requests for memory or add nodes; add node-role.kubernetes.io/control-plane to tolerations if the pod may run there",
		},
		"0/3 nodes are available: 3 Insufficient nvidia.com/gpu.":                                                                                      {"3 of 3 nodes have too little nvidia.com/gpu left; the pod asks for nvidia.com/gpu 0"},
		"0/2 nodes are available: 2 Too many pods.":                                                                                                    {"2 of 2 nodes run as many pods as they may"},
		"0/2 nodes are available: 2 node(s) had volume node affinity conflict.":                                                                        {"than a volume of the pod"},
		"0/2 nodes are available: 2 node(s) had no available volume zone.":                                                                             {"add nodes where the volume is"},
		"0/2 nodes are available: 2 node(s) exceed max volume count.":                                                                                  {"as many volumes attached as they can"},
		"0/2 nodes are available: 2 node(s) didn't satisfy existing pods anti-affinity rules.":                                                         {"pod_anti_affinity"},
		"0/1 nodes are available: 1 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod.": {"a volume that another pod uses alone", `strategy = "recreate"`},
		"0/1 nodes are available: 1 a new reason, with a comma.":                                                                                       {"1 of 1 nodes: a new reason, with a comma", "add nodes"},
		"no nodes available to schedule pods":                                                                                                          {"no node takes the pod", "add nodes"},
	} {
		in := fixture(t, "testdata/captured/unschedulable.yaml")
		pod := in.Pods[0]
		pod.Spec.Containers[0].Resources.Requests = pod.Spec.Containers[0].Resources.Requests.DeepCopy()
		pod.Spec.Containers[0].Resources.Requests[corev1.ResourceMemory] = resource.MustParse("128Mi")
		for i := range pod.Status.Conditions {
			pod.Status.Conditions[i].Message = message
		}
		wantFinding(t, health.Compute(in).Findings[0], health.CauseUnschedulable, health.Patient, tells...)
	}
}

// An init container is done before the containers start; a sidecar is not.
func TestRequestsOfAPod(t *testing.T) {
	in := fixture(t, controlPlane+"unschedulable-cpu.yaml") // 5k and 1
	always := corev1.ContainerRestartPolicyAlways
	needs := func(cpu string) corev1.ResourceRequirements {
		return corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}}
	}
	spec := &in.Pods[0].Spec
	spec.InitContainers = []corev1.Container{
		{Name: "migrate", Resources: needs("5")}, {Name: "proxy", RestartPolicy: &always, Resources: needs("2")}, {Name: "warm", Resources: needs("3")},
	}
	wantFinding(t, health.Compute(in).Findings[0], health.CauseUnschedulable, health.Patient, "the pod asks for cpu 5003")
	spec.InitContainers[0].Resources = needs("9k")
	spec.Overhead = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}
	wantFinding(t, health.Compute(in).Findings[0], health.CauseUnschedulable, health.Patient, "the pod asks for cpu 9001")
}

func TestEvictions(t *testing.T) {
	for message, tells := range map[string][]string{
		"The node was low on resource: memory. Threshold quantity: 100Mi, available: 76Mi. Container api was using 300Mi, request is 128Mi, has larger consumption of memory. ": {
			"its node ran out of memory", "resources.requests.memory",
		},
		"The node was low on resource: ephemeral-storage. Threshold quantity: 2Gi, available: 1536Mi. ": {"its node ran out of disk", "unused images"},
		"The node was low on resource: pids. Threshold quantity: 1200, available: 500. ":                {"ran out of processes"},
		"The node had condition: [DiskPressure]. ":                                                      {"its node ran out of disk"},
		`Usage of EmptyDir volume "cache" exceeds the limit "1Mi". `:                                    {`wrote more than 1Mi into its volume "cache"`, `raise size_limit of the empty_dir volume "cache" above 1Mi`},
		`Container api exceeded its local ephemeral storage limit "10Mi". `:                             {`container "api" wrote more than 10Mi`, "resources.limits.ephemeral-storage above 10Mi"},
		"Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. ":                 {"it wrote more than 1Mi to its disk"},
		"something new": {"the pod was evicted (node", "set resources.requests"},
	} {
		in := fixture(t, "testdata/evicted.yaml")
		in.Pods[0].Status.Message = message
		wantFinding(t, health.Compute(in).Findings[0], health.CauseEvicted, health.Patient, tells...)
	}
	for reason, cause := range map[string]health.Cause{
		"Preempting": health.CausePreempted, "Terminated": health.CauseDrained, "NodeShutdown": health.CauseDrained, "NodeLost": health.CauseNodeNotReady, "OutOfcpu": health.CausePodFailed,
	} {
		in := fixture(t, "testdata/evicted.yaml")
		for _, pod := range in.Pods {
			pod.Status.Reason, pod.Status.Message = reason, "because"
		}
		wantFinding(t, health.Compute(in).Findings[0], cause, health.Patient, `node "worker-1"`, "because")
	}
}

// What ends with exit code 0 when it is told to has ended well for the kubelet,
// which then writes no reason into the pod; and it drops events of a pod that has
// many.
func TestEvictedAndEndedWell(t *testing.T) {
	in := fixture(t, "testdata/captured/evicted.yaml")
	ended := slices.IndexFunc(in.Pods, func(p *corev1.Pod) bool { return p.Status.Reason == "Evicted" })
	in.Pods[ended].Status.Phase, in.Pods[ended].Status.Reason, in.Pods[ended].Status.Message = corev1.PodSucceeded, "", ""
	wantFinding(t, health.Compute(in).Findings[0], health.CauseEvicted, health.Patient, `event "Evicted": Usage of EmptyDir volume`, "raise size_limit")
	in.Events = nil
	wantFinding(t, health.Compute(in).Findings[0], health.CausePodFailed, health.Patient, "the pod was ended on node", "nobody says why")
}

func TestVolumesOfWhatIsMissing(t *testing.T) {
	load := func(message string) (health.Input, *corev1.PodCondition) {
		in := fixture(t, "testdata/captured/volume-config-map-missing.yaml")
		for _, e := range in.Events {
			if e.Reason == "FailedMount" {
				e.Message = message
			}
		}
		conditions := in.Pods[0].Status.Conditions
		return in, &conditions[slices.IndexFunc(conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReadyToStartContainers })]
	}
	for message, want := range map[string]struct {
		cause health.Cause
		class health.Class
		tells string
	}{
		`MountVolume.SetUp failed for volume "settings" : configmap "settings" not found`:                                      {health.CauseVolumeSource, health.Certain, `create the configmap "settings"`},
		`MountVolume.SetUp failed for volume "all" : [configmap "a" not found, secret "b" not found]`:                          {health.CauseVolumeSource, health.Certain, `the configmap "a", which does not exist`},
		`MountVolume.SetUp failed for volume "settings" : configmap references non-existent config key: app.yaml`:              {health.CauseVolumeSource, health.Certain, "the config key app.yaml"},
		`MountVolume.SetUp failed for volume "db" : references non-existent secret key: url`:                                   {health.CauseVolumeSource, health.Certain, "add the key url"},
		`MountVolume.SetUp failed for volume "kube-api-access-x" : configmap "kube-root-ca.crt" not found`:                     {health.CauseVolume, health.Patient, "kube-root-ca.crt"},
		`MountVolume.SetUp failed for volume "settings" : object "shop"/"settings" not registered`:                             {health.CauseVolume, health.Patient, "not registered"},
		`MountVolume.SetUp failed for volume "settings" : failed to sync configmap cache: timed out waiting for the condition`: {health.CauseVolume, health.Patient, "failed to sync"},
	} {
		in, sandbox := load(message)
		wantFinding(t, health.Compute(in).Findings[0], want.cause, want.class, want.tells)
		// Once the sandbox is there the volumes are: it pulls its image now.
		sandbox.Status = corev1.ConditionTrue
		if got := health.Compute(in).Findings; len(got) > 0 {
			t.Errorf("an old event counts: %+v", got)
		}
		sandbox.Type = "other" // a kubelet that does not tell
		if got := health.Compute(in).Findings[0]; got.Class != health.Patient {
			t.Errorf("it cannot be known: %+v", got)
		}
	}
}

// Whatever is told of a healthy release is a warning, and a warning alone is no
// reason for anything.
func TestWarnings(t *testing.T) {
	healthy := 0
	for _, file := range fixtures(t) {
		v := health.Compute(fixture(t, file))
		if v.State == health.Healthy && len(v.Findings) > 0 {
			healthy++
		}
		for _, f := range v.Findings {
			if v.State == health.Healthy && f.Class != health.Warning {
				t.Errorf("%s: healthy, and %+v", file, f)
			}
		}
	}
	if healthy < 5 {
		t.Errorf("only %d healthy ones are warned of", healthy)
	}
	in := fixture(t, controlPlane+"autoscaler.yaml")
	in.Workload.Status.AvailableReplicas = 0
	in.Workload.Status.Conditions = append(in.Workload.Status.Conditions, appsv1.DeploymentCondition{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded"})
	v := health.Compute(in)
	if v.State != health.Progressing || len(v.Findings) != 2 || v.Findings[0].Cause != health.CauseDeadline || v.Findings[1].Class != health.Warning {
		t.Errorf("a warning is no cause that the deadline would only echo: %+v", v)
	}
}

// The addresses of a release that is not healthy: what fits none is told, what
// only waits for it is not.
func TestServicesOfUnreadyPods(t *testing.T) {
	for file, told := range map[string]bool{"service-selector": true, "service-port": true, "service-port-number": true} {
		in := fixture(t, controlPlane+file+".yaml")
		in.Workload.Status.AvailableReplicas, in.Workload.Status.ReadyReplicas = 0, 0
		if v := health.Compute(in); (len(v.Findings) > 0) != told || v.State == health.Failed {
			t.Errorf("%s: %+v", file, v)
		}
		for _, s := range in.Around.Services {
			s.Spec.Selector, s.Spec.Ports[0].TargetPort.StrVal, s.Spec.Ports[0].TargetPort.Type = map[string]string{"app": "web"}, "http", 1
		}
		if v := health.Compute(in); len(v.Findings) > 0 {
			t.Errorf("%s, corrected: %+v", file, v)
		}
	}
	in := fixture(t, controlPlane+"service-selector.yaml")
	in.Around.Endpoints = nil
	if v := health.Compute(in); len(v.Findings) > 0 {
		t.Errorf("it is not known what the Service leads to: %+v", v)
	}
}

func TestTerminatingNeedsItsTime(t *testing.T) {
	for _, file := range []string{"terminating-finalizer", "terminating-node"} {
		in := fixture(t, controlPlane+file+".yaml")
		for name, now := range map[string]time.Time{"unknown": {}, "within the grace period": in.Pods[0].DeletionTimestamp.Add(-time.Second)} {
			in.Now = now
			if v := health.Compute(in); len(v.Findings) > 0 {
				t.Errorf("%s, %s: %+v", file, name, v)
			}
		}
	}
	in := fixture(t, controlPlane+"claim-terminating.yaml")
	in.Pods = append(in.Pods, in.Pods[0].DeepCopy())
	in.Pods[1].Name, in.Pods[1].UID = "old", "another"
	in.Around.Claims[0].Finalizers = []string{"kubernetes.io/pvc-protection"}
	wantFinding(t, health.Compute(in).Findings[0], health.CauseTerminating, health.Patient, "; pods use it: old, web-", "create it again")
	in.Around.Claims = nil
	wantFinding(t, health.Compute(in).Findings[0], health.CauseTerminating, health.Patient, "is being deleted")
}

// Without what is around the pods, less is said: what the scheduler tells.
func TestClaimsThatAreNotRead(t *testing.T) {
	for file, cause := range map[string]health.Cause{
		"claim-missing": health.CauseClaimMissing, "claim-pending-no-class": health.CauseClaimPending, "claim-pending-provisioner": health.CauseClaimPending,
	} {
		in := fixture(t, controlPlane+file+".yaml")
		in.Around, in.Events = health.Around{}, nil
		wantFinding(t, health.Compute(in).Findings[0], cause, map[bool]health.Class{true: health.Certain, false: health.Patient}[cause == health.CauseClaimMissing], "data")
	}
	in := fixture(t, controlPlane+"claim-missing.yaml")
	in.Around.Claims = []*corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "data"}, Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound}}}
	if v := health.Compute(in); len(v.Findings) > 0 {
		t.Errorf("the claim is there by now: %+v", v)
	}
}
