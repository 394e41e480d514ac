package health

import "slices"

// Cause is why a release is not healthy, in Kubernetes' own word where it has
// one. It titles errors, and it is what a person looks up in the documentation.
type Cause string

// Causes. The table below has what each means.
const (
	CausePaused Cause = "DeploymentPaused"
	CauseScaled Cause = "ScaledByOthers"

	CauseNoServiceAccount     Cause = "ServiceAccountNotFound"
	CauseQuota                Cause = "QuotaExceeded"
	CauseLimitRange           Cause = "LimitRangeViolated"
	CausePodSecurity          Cause = "PodSecurityViolated"
	CauseAdmissionDenied      Cause = "AdmissionDenied"
	CauseAdmissionUnavailable Cause = "AdmissionWebhookUnavailable"
	CausePodsRefused          Cause = "FailedCreate"

	CauseInvalidImageName    Cause = "InvalidImageName"
	CauseImageNeverPull      Cause = "ErrImageNeverPull"
	CauseImageSignature      Cause = "SignatureValidationFailed"
	CauseImageNotFound       Cause = "ImageNotFound"
	CauseImageUnauthorized   Cause = "ImagePullUnauthorized"
	CauseImagePlatform       Cause = "ImagePlatformMismatch"
	CauseImageUnusable       Cause = "ImageUnusable"
	CauseImageInspect        Cause = "ImageInspectError"
	CauseImageRateLimited    Cause = "ImagePullRateLimited"
	CauseRegistryUnavailable Cause = "RegistryUnavailable"
	CauseImagePull           Cause = "ImagePullBackOff"

	CauseContainerConfig Cause = "CreateContainerConfigError"
	CauseContainerCreate Cause = "CreateContainerError"
	CauseExecFormat      Cause = "ExecFormatError"
	CauseContainerRun    Cause = "RunContainerError"
	CauseContainerHook   Cause = "ContainerHookError"
	CauseOutOfMemory     Cause = "OOMKilled"
	CauseStartupKilled   Cause = "StartupProbeKilled"
	CauseLivenessKilled  Cause = "LivenessProbeKilled"
	CauseCrashLoop       Cause = "CrashLoopBackOff"

	CauseClaimMissing    Cause = "PersistentVolumeClaimNotFound"
	CauseClaimLost       Cause = "PersistentVolumeClaimLost"
	CauseClaimPending    Cause = "PersistentVolumeClaimPending"
	CauseUnschedulable   Cause = "Unschedulable"
	CauseSchedulingGated Cause = "SchedulingGated"
	CauseVolumeSource    Cause = "VolumeSourceNotFound"
	CauseVolume          Cause = "FailedMount"
	CauseSandbox         Cause = "FailedCreatePodSandBox"

	CauseEvicted      Cause = "Evicted"
	CauseDrained      Cause = "NodeDrained"
	CausePreempted    Cause = "Preempted"
	CauseNodeNotReady Cause = "NodeNotReady"
	CausePodFailed    Cause = "PodFailed"
	CauseTerminating  Cause = "TerminatingStuck"

	CauseInitRunning       Cause = "InitContainerRunning"
	CauseNotStarted        Cause = "StartupProbeFailing"
	CauseReadiness         Cause = "ReadinessProbeFailing"
	CauseReadinessRejected Cause = "ReadinessProbeRejected"
	CauseNotReady          Cause = "NotReady"
	CauseGateCircle        Cause = "LoadBalancerReadinessGate"
	CauseReadinessGate     Cause = "ReadinessGatesNotReady"

	CauseNoEndpoints      Cause = "ServiceWithoutEndpoints"
	CauseRouteNotAccepted Cause = "HTTPRouteNotAccepted"
	CauseDisruption       Cause = "DisruptionBudgetBlocks"
	CauseAutoscaler       Cause = "AutoscalerWithoutMetrics"
	CauseDeadline         Cause = "ProgressDeadlineExceeded"
)

// Explanation is what is true of a cause wherever it is met.
type Explanation struct {
	Cause   Cause
	About   string // the heading it stands under
	Class   Class  // usually; a finding may be less sure
	Meaning string // for the documentation
	Try     string // the hint of a finding that knows nothing better
}

// Headings of the table.
const (
	aboutOthers     = "What others did to the Deployment"
	aboutAdmission  = "Pods that the cluster refuses"
	aboutImages     = "Images"
	aboutContainers = "Containers"
	aboutPlaces     = "Nodes and volumes"
	aboutEnds       = "Pods that end"
	aboutReadiness  = "Readiness"
	aboutNetwork    = "Traffic and everything else"
)

// catalogue explains every cause, those that lead to others first: findings of
// one class are shown in this order. The documentation's table is made of it.
var catalogue = []Explanation{
	{CausePaused, aboutOthers, Certain, "Somebody has paused the Deployment (`kubectl rollout pause`), so that Kubernetes makes no pods of its present template.", "ask who paused it, and let it go on with `kubectl rollout resume`"},
	{CauseScaled, aboutOthers, Certain, "Somebody else, such as an autoscaler that is not Switchback's or `kubectl scale`, asks for fewer pods than the release waits for. None at all fail it once that has lasted for `health.fail_fast_grace`, fewer once it has lasted for a minute, too. More pods than it asks for are waited for, and are a warning.", "see that nothing else scales it, or leave the number to what does: by the attribute autoscaling, or by ignore_drift = [\"spec.replicas\"]"},

	{CauseNoServiceAccount, aboutAdmission, Certain, "The pods' ServiceAccount does not exist.", "create the ServiceAccount, or correct service_account_name"},
	{CauseQuota, aboutAdmission, Certain, "A ResourceQuota of the namespace has no room for the pods.", "free some of the quota or raise it, ask for fewer replicas or smaller resources; two versions side by side need room for both"},
	{CauseLimitRange, aboutAdmission, Certain, "A LimitRange of the namespace forbids what the containers ask for.", "set resources within what the LimitRange allows"},
	{CausePodSecurity, aboutAdmission, Certain, "The namespace's Pod Security level forbids what the pods ask for.", "set pod_security = \"restricted\", or take out what the message names"},
	{CauseAdmissionDenied, aboutAdmission, Certain, "An admission webhook or policy refuses the pods.", "change what its message objects to, or ask who runs the policy"},
	{CauseAdmissionUnavailable, aboutAdmission, Patient, "An admission webhook that must be asked does not answer, so that no pod can be created.", "see whether the webhook's pods run; the cluster's administrator can change its failurePolicy"},
	{CausePodsRefused, aboutAdmission, Certain, "The API server refuses the pods for another reason.", "change what the message objects to"},

	{CauseInvalidImageName, aboutImages, Certain, "The image reference is not one.", "correct the image reference: registry/repository:tag, all lower case up to the tag"},
	{CauseImageNeverPull, aboutImages, Certain, "The image is not on the node (or was removed there to free its disk), and may not be pulled.", "remove imagePullPolicy: Never from pod_template_patch, or load the image onto the nodes"},
	{CauseImageSignature, aboutImages, Certain, "The nodes' policy does not accept the image's signature.", "sign the image as the nodes' policy asks, or use one that is signed"},
	{CauseImageNotFound, aboutImages, Certain, "The registry has no such image, tag or digest.", "correct the tag or digest, or push the image; see that its build has finished"},
	{CauseImageUnauthorized, aboutImages, Certain, "The registry wants a login that the pods do not have (401), or refuses theirs (403).", "name a Secret with a login in image_pull_secrets, and see what that login may pull"},
	{CauseImagePlatform, aboutImages, Certain, "The image was not built for the node's operating system or processor.", "build the image for the nodes' platform too, or choose nodes with node_selector, as kubernetes.io/arch"},
	{CauseImageUnusable, aboutImages, Certain, "What the registry sent is no usable image: damaged, or of a kind that the runtime does not know.", "push the image again; see that it is a container image"},
	{CauseImageInspect, aboutImages, Patient, "The node cannot read the image that it has.", "look at the node's container runtime and its disk"},
	{CauseImageRateLimited, aboutImages, Repeated, "The registry refuses to serve more for now (429). Gives up when three pulls of a pod have been refused, which takes the kubelet most of a minute.", "log in with image_pull_secrets, pull through a mirror, or wait"},
	{CauseRegistryUnavailable, aboutImages, Repeated, "The registry does not answer, or with a server error: its name, its address, its certificate, or it is down. Gives up when three pulls of a pod have failed, which takes the kubelet most of a minute.", "check the registry's name, that it is up, and that the nodes can reach it"},
	{CauseImagePull, aboutImages, Certain, "The image cannot be pulled, for a reason that is not one of the others.", "read what the registry and the node's runtime say"},

	{CauseContainerConfig, aboutContainers, Certain, "The container cannot be configured: a Secret, a ConfigMap or a key of one is missing, or it would run as root and must not.", "create what it names, or correct the reference; an image that runs as root needs run_as_user"},
	{CauseContainerCreate, aboutContainers, Certain, "The runtime cannot create the container.", "check command and args, volume mounts and security_context against the image"},
	{CauseExecFormat, aboutContainers, Certain, "The program cannot be executed on the node: it is for another processor, or is a script without a #! line.", "build the image for the nodes' platform; give a script a #! line"},
	{CauseContainerRun, aboutContainers, Certain, "The program that the container shall run is not in the image, or may not be executed.", "check that command names a program in the image and that it may be executed there"},
	{CauseContainerHook, aboutContainers, Patient, "A hook that runs at the container's start fails.", "look at the hook in pod_template_patch, and at the node's runtime"},
	{CauseOutOfMemory, aboutContainers, Repeated, "The container used more memory than its limit, or than its node had.", "raise resources.limits.memory, or make the application use less"},
	{CauseStartupKilled, aboutContainers, Repeated, "The container is killed again and again because it does not pass its startup probe in time.", "give startup_probe a higher failure_threshold, or see what the application waits for"},
	{CauseLivenessKilled, aboutContainers, Repeated, "The container is killed again and again because it does not pass its liveness probe.", "see why it does not answer, or give it time with a startup_probe"},
	{CauseCrashLoop, aboutContainers, Repeated, "The container ends again and again after it was started.", "read its log; the usual reasons are a missing variable, file or database"},

	{CauseClaimMissing, aboutPlaces, Certain, "A PersistentVolumeClaim that the pods use does not exist.", "create the claim, or correct its name in volumes"},
	{CauseClaimLost, aboutPlaces, Certain, "The volume behind a PersistentVolumeClaim is gone.", "restore the volume, or make a new claim; what was on it is lost"},
	{CauseClaimPending, aboutPlaces, Patient, "A PersistentVolumeClaim has no volume yet.", "see whether its storage class exists and its provisioner runs"},
	{CauseUnschedulable, aboutPlaces, Patient, "No node takes the pod. An autoscaler may be adding one.", "lower resources.requests, check node_selector and tolerations, or add nodes"},
	{CauseSchedulingGated, aboutPlaces, Patient, "The pod waits for scheduling gates.", "see who added the gates and what they wait for"},
	{CauseVolumeSource, aboutPlaces, Certain, "A ConfigMap or Secret that a volume is made of, or a key of one, does not exist.", "create what the message names, or correct the name in volumes"},
	{CauseVolume, aboutPlaces, Patient, "A volume cannot be attached or mounted.", "read what the node says; a volume that only one node can have needs strategy = \"recreate\""},
	{CauseSandbox, aboutPlaces, Patient, "The node cannot set up the pod, most often its network.", "look at the node's network plugin and its address range"},

	{CauseEvicted, aboutEnds, Patient, "Its node evicted the pod: it, or the pod, ran out of memory, disk or processes. A node that lacks disk has removed unused images by then.", "set resources.requests to what it needs; ask who runs the nodes"},
	{CauseDrained, aboutEnds, Patient, "The pod was evicted through the API, as when a node is drained, or its node is shutting down.", "nothing, as long as other nodes have room"},
	{CausePreempted, aboutEnds, Patient, "The scheduler removed the pod to make room for one of a higher priority.", "add nodes, or give the pods a priorityClassName with pod_template_patch"},
	{CauseNodeNotReady, aboutEnds, Patient, "The pod's node does not answer, or is gone.", "ask who runs the nodes; its pods are replaced after five minutes"},
	{CausePodFailed, aboutEnds, Patient, "The whole pod failed, for another reason.", "look at the node: its memory, disk and readiness"},
	{CauseTerminating, aboutEnds, Patient, "Something was deleted and stays, because of a finalizer or a node that does not answer.", "see that the controller of the finalizer runs, or remove the finalizer if it is gone for good"},

	{CauseInitRunning, aboutReadiness, Patient, "An init container has not ended yet.", "the application starts when it has ended with exit code 0; its log says what it waits for"},
	{CauseNotStarted, aboutReadiness, Patient, "The container runs and has not passed its startup probe.", "give startup_probe a higher failure_threshold, or see what the application waits for"},
	{CauseReadinessRejected, aboutReadiness, Certain, "The application answers its readiness probe with nothing but the same rejection (400, 401, 403, 404, 405, 406, 410; a gRPC health service that is not there) since it listens: the probe asks for what is not there. Gives up after about two minutes of it, or after the probe's failure_threshold × period_seconds where that is longer; later where the application did not listen at first, because Kubernetes tells only some 20 failed probes of a pod, and then one in five minutes. What was ready once, or gave any other answer, is waited for.", "correct readiness_probe's path, port or scheme; an application that has its paths only a while after it listens needs a startup_probe, or a longer health.fail_fast_grace"},
	{CauseReadiness, aboutReadiness, Patient, "The container runs and does not pass its readiness probe.", "check readiness_probe's path, port and timeout, and what the application waits for"},
	{CauseNotReady, aboutReadiness, Patient, "The container runs and is not ready.", "see what the application waits for"},
	{CauseGateCircle, aboutReadiness, Certain, "The containers are ready, and wait for a readiness gate that a load balancer's controller sets for pods that it leads to. It leads to none of a deployment that is not main yet, and the deployment is not main before it is ready.", "take the readiness gate out of the pods (of pod_template_patch, or of what adds it, such as the namespace's label elbv2.k8s.aws/pod-readiness-gate-inject): Switchback waits until they are ready before it moves the address, and drains the former ones after it; or let a Service that the load balancer watches select them, and name it in allow_selected_by"},
	{CauseReadinessGate, aboutReadiness, Patient, "The containers are ready, and a readiness gate is not.", "a load balancer controller usually sets these: see whether it runs and what it says"},

	{CauseNoEndpoints, aboutNetwork, Patient, "A Service leads to no pod, because its selector or its port fits none.", "compare the Service's selector and target ports with the pods' labels and ports"},
	{CauseRouteNotAccepted, aboutNetwork, Patient, "A Gateway does not accept an HTTPRoute, or cannot resolve what it leads to.", "see what the condition names: the parent, the listener, the backend or a ReferenceGrant"},
	{CauseDisruption, aboutNetwork, Warning, "A PodDisruptionBudget allows no pod to be evicted, so that its node cannot be drained.", "let more pods be unavailable, or run more replicas"},
	{CauseAutoscaler, aboutNetwork, Warning, "The HorizontalPodAutoscaler gets no metrics, and so does not scale.", "see whether the metrics server runs, and set resources.requests for what it measures"},
	{CauseDeadline, aboutNetwork, Patient, "The rollout makes no progress, and nothing says why.", "look at the pods of its newest ReplicaSet"},
}

// Catalogue explains every Cause, those that lead to others first.
func Catalogue() []Explanation { return slices.Clone(catalogue) }

// explanation is the table's row.
func explanation(cause Cause) Explanation {
	at := slices.IndexFunc(catalogue, func(e Explanation) bool { return e.Cause == cause })
	return catalogue[at]
}

// Causes lists every Cause, those that lead to others first.
func Causes() []Cause {
	causes := make([]Cause, len(catalogue))
	for i, e := range catalogue {
		causes[i] = e.Cause
	}
	return causes
}
