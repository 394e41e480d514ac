//go:build bench

package bench_test

import (
	"context"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

// failure is something that goes wrong, written for both providers.
type failure struct {
	name, what string
	class      health.Class
	causes     []health.Cause // one of them is what is reported

	image  func(*testnode.Cluster) string // default: the test application, which is there
	env    map[string]string
	ours   ourLines
	theirs theirLines
	// prepare makes what is around the pods.
	prepare func(context.Context, *testnode.Cluster, string) error

	// known tells whether an object says all that there is to know, and knows
	// says it in words.
	known func(runtime.Object) bool
	knows string
}

// ourLines are more lines of the deployment and of its container.
type ourLines struct{ deployment, container string }

// theirLines are more lines of a kubernetes_deployment's pods and of their
// container.
type theirLines struct{ pod, container string }

// neverReady: a container that is ready for a moment, between two crashes, is
// one that has started, for many.
func neverReady(env map[string]string) map[string]string {
	env["APP_NEVER_READY"] = "true"
	return env
}

var failures = []failure{
	{
		name: "image-missing", what: "the image's tag does not exist",
		class: health.Certain, causes: []health.Cause{health.CauseImageNotFound, health.CauseImagePull},
		image: func(c *testnode.Cluster) string { return c.Registry + "/shop/app:2.0" },
		known: waitingFor("ErrImagePull", "ImagePullBackOff"), knows: "pod status `ErrImagePull`",
	},
	{
		name: "image-private", what: "the registry wants a login",
		class: health.Certain, causes: []health.Cause{health.CauseImageUnauthorized, health.CauseImagePull},
		image: func(c *testnode.Cluster) string { return c.Registry + "/private/app:1.0" },
		known: waitingFor("ErrImagePull", "ImagePullBackOff"), knows: "pod status `ErrImagePull`",
	},
	{
		name: "command-missing", what: "the command is not in the image",
		class: health.Certain, causes: []health.Cause{health.CauseContainerRun},
		ours:   ourLines{container: `command = ["/bin/none"]`},
		theirs: theirLines{container: `command = ["/bin/none"]`},
		known:  terminatedFor("StartError"), knows: "pod status `StartError`",
	},
	{
		name: "config-secret-missing", what: "a Secret for an environment variable does not exist",
		class: health.Certain, causes: []health.Cause{health.CauseContainerConfig},
		ours: ourLines{container: `secret_env = { DATABASE_URL = { name = "db", key = "url" } }`},
		theirs: theirLines{container: `env {
            name = "DATABASE_URL"
            value_from {
              secret_key_ref {
                name = "db"
                key  = "url"
              }
            }
          }`},
		known: waitingFor("CreateContainerConfigError"), knows: "pod status `CreateContainerConfigError`",
	},
	{
		name: "quota", what: "a quota has no room",
		class: health.Certain, causes: []health.Cause{health.CauseQuota, health.CausePodsRefused},
		prepare: quota,
		known:   replicaFailure, knows: "Deployment condition `ReplicaFailure`",
	},
	{
		name: "pod-security", what: "Pod Security refuses the pods",
		class: health.Certain, causes: []health.Cause{health.CausePodSecurity, health.CausePodsRefused},
		prepare: restricted,
		known:   replicaFailure, knows: "Deployment condition `ReplicaFailure`",
	},
	{
		name: "limit-range", what: "a LimitRange forbids the memory that is asked for",
		class: health.Certain, causes: []health.Cause{health.CauseLimitRange},
		ours: ourLines{container: `resources = { limits = { memory = "128Mi" } }`},
		theirs: theirLines{container: `resources {
            limits {
              memory = "128Mi"
            }
          }`},
		prepare: limitRange,
		known:   replicaFailure, knows: "Deployment condition `ReplicaFailure`",
	},
	{
		name: "service-account-missing", what: "the ServiceAccount does not exist",
		class: health.Certain, causes: []health.Cause{health.CauseNoServiceAccount},
		ours:   ourLines{deployment: `service_account_name = "robot"`},
		theirs: theirLines{pod: `service_account_name = "robot"`},
		known:  replicaFailure, knows: "Deployment condition `ReplicaFailure`",
	},
	{
		name: "claim-missing", what: "a volume's claim does not exist",
		class: health.Certain, causes: []health.Cause{health.CauseClaimMissing},
		ours: ourLines{
			deployment: `volumes = { data = { persistent_volume_claim = { claim_name = "data" } } }`,
			container:  `volume_mounts = { "/data" = { volume = "data" } }`,
		},
		theirs: theirLines{
			pod: `volume {
          name = "data"
          persistent_volume_claim {
            claim_name = "data"
          }
        }`,
			container: `volume_mount {
            name       = "data"
            mount_path = "/data"
          }`,
		},
		known: unschedulable, knows: "pod condition `Unschedulable`",
	},
	{
		name: "crash-loop", what: "the application ends again and again",
		class: health.Repeated, causes: []health.Cause{health.CauseCrashLoop},
		env:   neverReady(map[string]string{"APP_CRASH_AFTER": "100ms", "APP_CRASH_MESSAGE": "no database"}),
		known: crashed, knows: "pod status with the end after the third restart",
	},
	{
		name: "liveness", what: "the application does not pass its liveness probe",
		class: health.Repeated, causes: []health.Cause{health.CauseLivenessKilled, health.CauseCrashLoop},
		env:  neverReady(map[string]string{"APP_UNHEALTHY_AFTER": "1ms"}),
		ours: ourLines{container: `liveness_probe = { http_get = { path = "/healthz", port = "http" }, period_seconds = 1, failure_threshold = 1 }`},
		theirs: theirLines{container: `liveness_probe {
            http_get {
              path = "/healthz"
              port = 8080
            }
            period_seconds    = 1
            failure_threshold = 1
          }`},
		known: crashed, knows: "pod status with the end after the third restart",
	},
	{
		name: "init-crash", what: "an init container ends again and again",
		class: health.Repeated, causes: []health.Cause{health.CauseCrashLoop},
		ours: ourLines{deployment: `init_containers = [{ name = "migrate", image = "` + testnode.AppImage("v2") + `", env = { APP_CRASH_AFTER = "0s" } }]`},
		theirs: theirLines{pod: `init_container {
          name  = "migrate"
          image = "` + testnode.AppImage("v2") + `"
          env {
            name  = "APP_CRASH_AFTER"
            value = "0s"
          }
        }`},
		known: crashed, knows: "pod status with the end after the third restart",
	},
	{
		name: "oom", what: "the application needs more memory than its limit",
		class: health.Repeated, causes: []health.Cause{health.CauseOutOfMemory},
		env:  neverReady(map[string]string{"APP_MEMORY_MB": "200"}),
		ours: ourLines{container: `resources = { limits = { memory = "32Mi" } }`},
		theirs: theirLines{container: `resources {
            limits {
              memory = "32Mi"
            }
          }`},
		known: outOfMemory, knows: "pod status with the second `OOMKilled`",
	},
	{
		name: "unschedulable", what: "no node has enough CPU",
		class: health.Patient, causes: []health.Cause{health.CauseUnschedulable},
		ours: ourLines{container: `resources = { requests = { cpu = "1000" } }`},
		theirs: theirLines{container: `resources {
            requests {
              cpu = "1000"
            }
          }`},
		known: unschedulable, knows: "pod condition `Unschedulable`",
	},
	{
		name: "volume-secret-missing", what: "a Secret for a volume does not exist",
		class: health.Patient, causes: []health.Cause{health.CauseVolumeSource},
		ours: ourLines{
			deployment: `volumes = { db = { secret = { name = "db" } } }`,
			container:  `volume_mounts = { "/etc/db" = { volume = "db" } }`,
		},
		theirs: theirLines{
			pod: `volume {
          name = "db"
          secret {
            secret_name = "db"
          }
        }`,
			container: `volume_mount {
            name       = "db"
            mount_path = "/etc/db"
          }`,
		},
		known: eventOf("FailedMount"), knows: "event `FailedMount`",
	},
	{
		name: "not-ready", what: "the application runs, but is never ready",
		class: health.Patient, causes: []health.Cause{health.CauseReadiness, health.CauseNotReady},
		env:   neverReady(map[string]string{}),
		known: eventOf("Unhealthy"), knows: "event `Unhealthy`",
	},
}

// containers are the statuses of a pod's containers; none of anything else.
func containers(object runtime.Object) []corev1.ContainerStatus {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return nil
	}
	return slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
}

func waitingFor(reasons ...string) func(runtime.Object) bool {
	return func(object runtime.Object) bool {
		return slices.ContainsFunc(containers(object), func(s corev1.ContainerStatus) bool {
			return s.State.Waiting != nil && slices.Contains(reasons, s.State.Waiting.Reason)
		})
	}
}

func terminatedFor(reason string) func(runtime.Object) bool {
	return func(object runtime.Object) bool {
		return slices.ContainsFunc(containers(object), func(s corev1.ContainerStatus) bool {
			now, last := s.State.Terminated, s.LastTerminationState.Terminated
			return now != nil && now.Reason == reason || last != nil && last.Reason == reason || s.State.Waiting != nil && s.State.Waiting.Reason == "RunContainerError"
		})
	}
}

func crashed(object runtime.Object) bool {
	return slices.ContainsFunc(containers(object), func(s corev1.ContainerStatus) bool {
		return s.RestartCount >= health.CrashThreshold && s.State.Running == nil
	})
}

func outOfMemory(object runtime.Object) bool {
	return slices.ContainsFunc(containers(object), func(s corev1.ContainerStatus) bool {
		end, ends := s.State.Terminated, s.RestartCount
		if end == nil {
			end = s.LastTerminationState.Terminated
		}
		if s.State.Running == nil {
			ends++
		}
		return end != nil && end.Reason == "OOMKilled" && ends >= health.OOMThreshold
	})
}

func unschedulable(object runtime.Object) bool {
	pod, ok := object.(*corev1.Pod)
	return ok && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodScheduled && c.Reason == corev1.PodReasonUnschedulable
	})
}

func replicaFailure(object runtime.Object) bool {
	d, ok := object.(*appsv1.Deployment)
	return ok && slices.ContainsFunc(d.Status.Conditions, func(c appsv1.DeploymentCondition) bool {
		return c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue
	})
}

func eventOf(reason string) func(runtime.Object) bool {
	return func(object runtime.Object) bool {
		e, ok := object.(*corev1.Event)
		return ok && e.Reason == reason
	}
}

// quota leaves no room for any pod.
func quota(ctx context.Context, c *testnode.Cluster, namespace string) error {
	quotas := c.Client().CoreV1().ResourceQuotas(namespace)
	watch, err := quotas.Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	defer watch.Stop()
	_, err = quotas.Create(ctx, &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "small"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	return await(ctx, watch, func(object runtime.Object) bool {
		q, ok := object.(*corev1.ResourceQuota)
		return ok && len(q.Status.Used) > 0
	})
}

// limitRange allows containers little memory.
func limitRange(ctx context.Context, c *testnode.Cluster, namespace string) error {
	most := corev1.LimitRangeItem{Type: corev1.LimitTypeContainer, Max: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")}}
	_, err := c.Client().CoreV1().LimitRanges(namespace).Create(ctx, &corev1.LimitRange{
		ObjectMeta: metav1.ObjectMeta{Name: "small"}, Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{most}},
	}, metav1.CreateOptions{})
	return err
}

// restricted lets a namespace refuse pods that are not locked down.
func restricted(ctx context.Context, c *testnode.Cluster, namespace string) error {
	patch := []byte(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}`)
	_, err := c.Client().CoreV1().Namespaces().Patch(ctx, namespace, types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

// wanted are the failures that were asked for.
func wanted() []failure {
	if *only == "" {
		return failures
	}
	names := strings.Split(*only, ",")
	return slices.DeleteFunc(slices.Clone(failures), func(f failure) bool { return !slices.Contains(names, f.name) })
}
