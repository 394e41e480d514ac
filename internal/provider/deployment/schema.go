package deployment

import (
	"context"
	"fmt"
	"maps"

	"github.com/hashicorp/terraform-plugin-framework-validators/int32validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/setvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int32default"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// What the values of package release's lists mean, for the documentation. A
// test sees to it that none is missing.
var (
	onFailureMeaning = map[release.OnFailure]string{
		release.OnFailureStop:      "scale it to zero, when it has drained; what it showed is in the error",
		release.OnFailureKeep:      "leave it running for a look",
		release.OnFailureTerminate: "remove it",
	}
	desiredStateMeaning = map[release.DesiredState]string{
		release.DesiredStarted: "`replicas` pods on each cluster",
		release.DesiredStopped: "no pods; everything else is kept, to be started again",
	}
	rolloutMeaning = map[release.FailurePolicy]string{
		release.FailureAbort: "it ends the change everywhere: nothing of a new deployment is kept, and what changes in place goes back to what it was",
		release.FailureContinue: "the others go on, with a warning for each that has failed; `status` and `cluster_status` tell, so that the next plan is not empty, and the next apply goes on there. " +
			"What has failed to start there is scaled to zero, or kept, as `on_failure` says",
	}
	podSecurityMeaning = map[release.PodSecurity]string{
		release.PodSecurityRestricted: "Kubernetes' restricted standard: no root user, no capabilities",
		release.PodSecurityBaseline:   "the runtime's seccomp profile and no privilege escalation; ordinary images run",
		release.PodSecurityNone:       "the cluster's own defaults",
	}
)

func deploymentSchema(ctx context.Context) schema.Schema {
	s := schema.Schema{
		MarkdownDescription: "One immutable version of an application, running on one or more clusters, under a name of its own: " +
			"`<application>-<8 characters of its content hash>`. Whatever shapes the pods is its content: a change there makes a new " +
			"deployment beside the old one, and going back to former content finds the former deployment again. " +
			"A deployment gets no traffic of the application's address until a `switchback_main_deployment` points at it. " +
			"Use `lifecycle { create_before_destroy = true }`, so that the old one goes last; one that still carries traffic is never removed.\n\n" +
			"A replacement is planned if and only if the content, `application` or `namespace` changes. Another spelling of the same content " +
			"(`0.5` and `500m`) is no change. An input that is not known before apply counts as changed.",
		Attributes: map[string]schema.Attribute{
			"application": schema.StringAttribute{
				Required: true,
				MarkdownDescription: fmt.Sprintf("Name of the application that this is a version of: a DNS-1035 label (lower case letters, digits and `-`, beginning with a letter) of at most %d characters.", release.MaxApplicationLength) +
					attrs.Replaces,
				PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
			},
			"namespace": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "Kubernetes namespace, which must exist. It is the same on every cluster." + attrs.Replaces,
				PlanModifiers:       []planmodifier.String{stringplanmodifier.RequiresReplace()},
			},
			"image": requiredString("Image reference of the application's container. A tag that is pushed again is not seen: use a new tag, a digest, or change `triggers`." + attrs.Replaces),
			"version": schema.StringAttribute{
				Optional: true,
				Computed: true,
				MarkdownDescription: "What people call this version: a tag, a commit. Default: the image's tag, else the first 12 characters of its digest, else `latest`." +
					attrs.Replaces,
				Validators: []validator.String{stringvalidator.LengthAtLeast(1)},
			},
			"triggers": attrs.StringMap("Any texts. Change one to deploy the same version again under a new name." + attrs.Replaces),
			"replicas": schema.Int32Attribute{
				CustomType: attrs.WholeNumber32{},
				Optional:   true,
				Computed:   true,
				Default:    int32default.StaticInt32(1),
				MarkdownDescription: "Number of pods on each cluster while it is started, at least 1. Default: 1. With two or more (or `autoscaling.min` of two or more), " +
					"a PodDisruptionBudget lets nodes be drained one pod at a time: see `disruption_budget`." + attrs.InPlace,
				Validators: []validator.Int32{int32validator.AtLeast(1)},
			},
			"autoscaling":       attrs.AutoscalingAttribute(),
			"disruption_budget": disruptionAttribute(),
			"preview":           previewAttribute(),
			"clusters": attrs.ClustersAttribute("Names of the clusters to run on, of those in the provider's configuration. " +
				"A cluster that is dropped while its copy carries traffic keeps it until the traffic has moved."),
			"rollout":             attrs.RolloutAttribute(rolloutMeaning, "How long the clusters that are done are watched before the next ones are changed: a container that crashes, or pods that do not stay ready, are a failure there. It is part of the time that `timeouts` give."),
			"abandon_unreachable": attrs.AbandonAttribute(),
			"environment":         attrs.OptionalString("What this is an environment of, such as `staging`: a label on the objects, for selecting them." + attrs.InPlace),
			"on_failure": schema.StringAttribute{
				Optional: true,
				Computed: true,
				Default:  stringdefault.StaticString(string(release.OnFailureStop)),
				MarkdownDescription: "What becomes of a deployment that fails to start, or that the traffic is taken back from, because it did not do its work or somebody asked for that: " + attrs.EnumText(release.OnFailures(), onFailureMeaning) +
					". One that is stopped because its traffic was taken back starts again when it is promoted; until then its `status` is `stopped`, and its plan is empty. " +
					"One that is removed for that is created anew by the next plan that asks for it. Default: `" + string(release.OnFailureStop) + "`." + attrs.InPlace,
				Validators: []validator.String{attrs.OneOf(release.OnFailures())},
			},
			"desired_state": schema.StringAttribute{
				Optional: true,
				Computed: true,
				Default:  stringdefault.StaticString(string(release.DesiredStarted)),
				MarkdownDescription: "Whether it runs: " + attrs.EnumText(release.DesiredStates(), desiredStateMeaning) + ". Default: `" + string(release.DesiredStarted) + "`. " +
					"What carries traffic is not stopped: at plan where a `switchback_main_deployment` of the same run points at it, else at apply. " +
					"Move the main deployment first, in an apply of its own. A start that was cancelled or has failed can be stopped, too; starting it again resumes it." + attrs.InPlace,
				Validators: []validator.String{attrs.OneOf(release.DesiredStates())},
			},
			"restart_triggers": attrs.StringMap("Any texts, such as the version of a Secret that the pods read when they start. A change replaces the pods a few at a time, never below `replicas` ready ones, " +
				"and not the deployment: `name` and `content_hash` stay. Pods that do not become ready are taken back, and the old ones stay. Old pods that end slowly are waited for within their grace period and half a minute; then they are named in a warning. " +
				"Nothing is restarted when the deployment is created, adopted or stopped." + attrs.InPlace),
			"strategy":       attrs.StrategyAttribute(),
			"rolling_update": attrs.RollingUpdateAttribute(),
			"health":         attrs.HealthAttribute(),
			"ignore_drift": schema.ListAttribute{
				ElementType: types.StringType,
				Optional:    true,
				MarkdownDescription: "Field paths that others may change, such as `spec.template.metadata.annotations`: a change there is neither shown in `drift` nor repaired. " +
					"(`lifecycle.ignore_changes` cannot do this.)" + attrs.InPlace,
				Validators: []validator.List{listvalidator.NoNullValues(), listvalidator.ValueStringsAre(stringvalidator.LengthAtLeast(1))},
			},
			"ignore_services": serviceNames("Names of Services that select the pods, and are no traffic: for monitoring, say. What only such a Service leads to can be stopped and removed. " +
				"It holds for all deployments of the application. A headless Service counts as discovery by itself, unless an Ingress or a route leads to it." + attrs.InPlace),
			"allow_selected_by": serviceNames("Names of Services, not Switchback's own, that may select the pods before the deployment is main. A deployment whose pods would get the traffic of any other Service " +
				"as soon as they are ready is not created. Where it is only the label `app.kubernetes.io/name` that a Service would select them by, the pods go without it instead, with a warning." + attrs.InPlace),
			"duration_budget": budgetAttribute(),
			"timeouts":        attrs.TimeoutsAttribute(ctx, "until it is healthy on every cluster", ", and the pauses of `rolling_update`"),

			"container": schema.SingleNestedAttribute{
				Optional:            true,
				MarkdownDescription: "The application's own container." + attrs.Replaces,
				Attributes:          containerAttributes(),
			},
			"init_containers": schema.ListNestedAttribute{
				Optional:            true,
				MarkdownDescription: "Containers that run to their end, one after the other, before the application's starts." + attrs.Replaces,
				Validators:          []validator.List{listvalidator.NoNullValues()},
				NestedObject:        schema.NestedAttributeObject{Attributes: helperAttributes()},
			},
			"sidecars": schema.ListNestedAttribute{
				Optional:            true,
				MarkdownDescription: "Containers that run beside the application's." + attrs.Replaces,
				Validators:          []validator.List{listvalidator.NoNullValues()},
				NestedObject:        schema.NestedAttributeObject{Attributes: helperAttributes()},
			},
			"volumes": schema.MapNestedAttribute{
				Optional:            true,
				MarkdownDescription: "Sources of files, by the name that `volume_mounts` use. Each has exactly one of `empty_dir`, `config_map`, `secret`, `persistent_volume_claim`, `projected`, `csi` and `ephemeral`." + attrs.Replaces,
				NestedObject:        schema.NestedAttributeObject{Attributes: volumeAttributes()},
			},
			"service_account_name": attrs.OptionalString("ServiceAccount of the pods. Default: the namespace's `default`." + attrs.Replaces),
			"image_pull_secrets":   stringList("Names of Secrets for pulling images, in the same namespace." + attrs.Replaces),
			"node_selector":        attrs.StringMap("Labels that a node must have." + attrs.Replaces),
			"tolerations": schema.ListNestedAttribute{
				Optional:            true,
				MarkdownDescription: "Node taints that the pods put up with." + attrs.Replaces,
				Validators:          []validator.List{listvalidator.NoNullValues()},
				NestedObject:        schema.NestedAttributeObject{Attributes: tolerationAttributes()},
			},
			"termination_grace_period_seconds": schema.Int64Attribute{
				CustomType:          attrs.WholeNumber64{},
				Optional:            true,
				MarkdownDescription: fmt.Sprintf("Seconds that a pod has from being told to end until it is killed. Default: %d.", workload.DefaultGracePeriod) + attrs.Replaces,
			},
			"labels":      attrs.StringMap("More labels for the pods. Switchback's own cannot be set." + attrs.Replaces),
			"annotations": attrs.StringMap("Annotations for the pods." + attrs.Replaces),
			"pod_template_patch": attrs.OptionalString("YAML that is merged into the pod template (strategic merge), last of all: the way to any Kubernetes field that has no attribute here. " +
				"Switchback's own labels cannot be changed, and no declared port can be taken away: ports merge by their number alone, whatever the protocol. " +
				"What a merge leaves beside what the patch brings, such as a second handler of a probe, is an error that shows how to take it away (`httpGet: null`); " +
				"Switchback's own pre-stop sleep gives way by itself. Comments, line ends, the order of keys and another spelling of a quantity are no change: the state keeps the first spelling, " +
				"by which the deployment is named until something else changes. One YAML document." + attrs.Replaces),
			"pod_security": schema.StringAttribute{
				Optional: true,
				Computed: true,
				Default:  stringdefault.StaticString(string(release.PodSecurityBaseline)),
				MarkdownDescription: "How much the pods are locked down where `security_context` says nothing else: " + attrs.EnumText(release.PodSecurities(), podSecurityMeaning) +
					". Default: `" + string(release.PodSecurityBaseline) + "`." + attrs.Replaces,
				Validators: []validator.String{attrs.OneOf(release.PodSecurities())},
			},

			"id":   attrs.ComputedString("`<namespace>/<name>`: what `switchback_main_deployment.deployment_id` takes, and the import id. Known at plan when the content is."),
			"name": attrs.ComputedString("`<application>-<8 characters of content_hash>`: the name of all its objects. Known at plan when the content is."),
			"owner": attrs.ComputedString("Token of the claim by which this state holds the deployment. Whoever claims the deployment later makes it stale: then this state can no longer change or remove it. " +
				"An import copies it: both states can change and remove it then. Take it out of the other one first, with `terraform state rm`."),
			"content_hash": attrs.ComputedString("SHA-256 of the content, in hexadecimal. Known at plan when the content is."),
			"service_name": attrs.ComputedString("Name of the deployment's own Service, which reaches this version and no other; null without `container.ports`."),
			"internal_url": attrs.ComputedString("`http://<service_name>.<namespace>.svc:<port>` with the port named `http`, else the first one by name; null without a TCP port in `container.ports`."),
			"preview_url":  attrs.ComputedString("Where this version is reached from outside the cluster: the address of `preview`. Known at plan when its host name and the content are; null without `preview`."),
			"urls":         attrs.URLsAttribute(urlsMeaning),
			"created_at":   attrs.ComputedString("When it was first created, in RFC 3339."),
			"created_by":   attrs.ComputedString("Who first created it, as far as is known."),
			"status": attrs.ComputedString(fmt.Sprintf("Where it is in its life: `%s` when it is healthy on every cluster, `%s` when it has no pods on any. "+
				"Anything but what `desired_state` asks for is planned back to that, in place. All are on the page [Statuses](../guides/statuses.md).", release.StatusStarted, release.StatusStopped)),
			"status_reason":  attrs.ComputedString("Why `status` is what it is, where there is something to say."),
			"durations":      durationsAttribute(),
			"cluster_status": attrs.ClusterStatusAttribute("As `status`, of the one cluster"),
			"drift":          attrs.DriftAttribute(),
		},
	}
	maps.Copy(s.Attributes, podAttributes())
	return s
}

// serviceNames is a set of names of Services.
func serviceNames(description string) schema.SetAttribute {
	return schema.SetAttribute{
		ElementType:         types.StringType,
		Optional:            true,
		MarkdownDescription: description,
		Validators:          []validator.Set{setvalidator.SizeAtLeast(1), setvalidator.NoNullValues(), setvalidator.ValueStringsAre(stringvalidator.LengthBetween(1, 63))},
	}
}
