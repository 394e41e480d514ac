package deployment

import (
	"fmt"
	"maps"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// Here are only the checks that a schema must make: lists cannot hold nulls, and
// what Kubernetes takes but package workload does not look at. All others are in
// workload.Validate, which says more than a schema can, and says it once.

// containerAttributes are what can be said of any container: the
// application's own, init containers and sidecars.
func containerAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"ports": schema.MapAttribute{
			ElementType:         attrs.WholeNumber32{},
			Optional:            true,
			MarkdownDescription: "Ports that the container listens on: name to number (1 to 65535). Services and probes refer to them by name.",
		},
		"port_protocols": attrs.StringMap("Protocols of those of `ports` that are not TCP: name to `UDP` or `SCTP`, such as `{ dns = \"UDP\" }`. " +
			"Two ports may have one number where their protocols differ. The deployment's Service and the application's address have the protocol of the port that they lead to."),
		"command": stringList("Replaces the image's entrypoint."),
		"args":    stringList("Replaces the image's default arguments."),
		"env":     attrs.StringMap("Environment variables. Values are stored in state: put secrets in `secret_env`. A null value leaves the variable out."),
		"secret_env": schema.MapNestedAttribute{
			Optional:            true,
			MarkdownDescription: "Environment variables whose value is one key of a Secret in the same namespace. The Secret is referenced, never read: its value reaches neither state nor plan.",
			NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
				"name":     requiredString("Name of the Secret."),
				"key":      requiredString("Key within the Secret."),
				"optional": optionalBool("Start without the variable where the Secret or its key does not exist. Default: `false`, the container then does not start."),
			}},
		},
		"env_from": schema.ListNestedAttribute{
			Optional:            true,
			MarkdownDescription: "Every key of whole ConfigMaps or Secrets as environment variables; of equal names the later entry wins, and `env` and `secret_env` win over all.",
			Validators:          []validator.List{listvalidator.NoNullValues()},
			NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
				"config_map": attrs.OptionalString("Name of a ConfigMap in the same namespace. Exactly one of `config_map` and `secret` is set."),
				"secret":     attrs.OptionalString("Name of a Secret in the same namespace. It is referenced, never read."),
				"prefix":     attrs.OptionalString("Put before the name of every variable."),
				"optional":   optionalBool("Start without the variables where the object does not exist. Default: `false`."),
			}},
		},
		"resources": schema.SingleNestedAttribute{
			Optional:            true,
			MarkdownDescription: "What the container asks for and what it may use, as Kubernetes quantities by resource name (`cpu`, `memory`, `ephemeral-storage`, …). Another spelling of the same quantity is no change.",
			Attributes: map[string]schema.Attribute{
				"requests": attrs.StringMap("What the scheduler reserves for each pod, such as `{ cpu = \"100m\", memory = \"128Mi\" }`."),
				"limits":   attrs.StringMap("What the container may not exceed: above its `memory` it is killed, above its `cpu` it is slowed down."),
			},
		},
		"readiness_probe": probeAttribute("Says when a pod can take traffic. Without one, a pod counts as ready as soon as its process runs, and traffic reaches it before it listens."),
		"liveness_probe":  probeAttribute("Says when the container must be restarted."),
		"startup_probe":   probeAttribute("Holds the other probes back until it succeeds: for slow starters."),
		"volume_mounts": schema.MapNestedAttribute{
			Optional:            true,
			MarkdownDescription: "Where `volumes` appear in the container, by absolute mount path.",
			NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
				"volume":    requiredString("Name of one of `volumes`."),
				"sub_path":  attrs.OptionalString("Mount only this path of the volume. Default: its root."),
				"read_only": optionalBool("Default: `false`."),
			}},
		},
		"security_context": securityContextAttribute(),
		"env_from_field": attrs.StringMap("Environment variables whose value is known only where the pod runs: a field of the pod such as `status.podIP`, `spec.nodeName` or `metadata.labels['KEY']`, " +
			"or what the container has, such as `limits.memory`."),
		"post_start": handlerAttribute("What is done right after the container's start, beside its program. Until it has ended the container is not ready; where it fails, the container is restarted."),
		"pre_stop": handlerAttribute(fmt.Sprintf("What is done before the container is told to end, within the grace period. Default: a sleep of %d seconds for the application and its sidecars, "+
			"since proxies and load balancers learn later than the pod that it goes; `{ sleep_seconds = 0 }` does nothing.", workload.PreStopSeconds)),
		"files": attrs.StringMap("Files that belong to this version: absolute path to text, such as `{ \"/etc/app/config.yaml\" = file(\"config.yaml\") }`. They are part of the content, " +
			"and are kept in an immutable ConfigMap that goes with the deployment: one that is kept for going back keeps its own. Each is mounted read-only by itself, and hides nothing beside it. " +
			"All files of a deployment hold 960 KiB at most. They are in state and plan: put secrets into a Secret, and mount that by `volumes` or `secret_env`. A null value leaves the file out."),
	}
}

// handlerAttribute is what a container does at a moment of its life.
func handlerAttribute(description string) schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional:            true,
		MarkdownDescription: description + " Exactly one of `exec`, `http_get` and `sleep_seconds` is set.",
		Attributes: map[string]schema.Attribute{
			"exec":     execAttribute("A command in the container."),
			"http_get": httpGetAttribute("An HTTP GET to the container."),
			"sleep_seconds": schema.Int64Attribute{
				CustomType:          attrs.WholeNumber64{},
				Optional:            true,
				MarkdownDescription: "Seconds to wait. The kubelet does it: the image needs no shell.",
			},
		},
	}
}

// portText says what a port of a container can be.
const portText = "Name of one of the container's `ports`, or a number."

func httpGetAttribute(description string) schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional:            true,
		MarkdownDescription: description,
		Attributes: map[string]schema.Attribute{
			"path":    attrs.OptionalString("Default: `/`."),
			"port":    requiredString(portText),
			"scheme":  attrs.OptionalString("`HTTP` (default) or `HTTPS`; the certificate is not verified."),
			"headers": attrs.StringMap("Headers to send."),
		},
	}
}

func execAttribute(description string) schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional:            true,
		MarkdownDescription: description,
		Attributes: map[string]schema.Attribute{"command": schema.ListAttribute{
			ElementType:         types.StringType,
			Required:            true,
			MarkdownDescription: "Program and arguments; no shell is involved.",
			Validators:          []validator.List{listvalidator.SizeAtLeast(1), listvalidator.NoNullValues()},
		}},
	}
}

// helperAttributes are a whole container: init container or sidecar.
func helperAttributes() map[string]schema.Attribute {
	attributes := maps.Clone(containerAttributes())
	attributes["name"] = requiredString("Name of the container, unique within the pod.")
	attributes["image"] = requiredString("Image reference.")
	return attributes
}

func probeAttribute(description string) schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional:            true,
		MarkdownDescription: description + " Exactly one of `http_get`, `tcp_socket`, `grpc` and `exec` is set.",
		Attributes: map[string]schema.Attribute{
			"http_get": httpGetAttribute("An HTTP GET that must answer 200 to 399."),
			"tcp_socket": schema.SingleNestedAttribute{
				Optional:            true,
				MarkdownDescription: "A TCP connection that must open.",
				Attributes:          map[string]schema.Attribute{"port": requiredString(portText)},
			},
			"grpc": schema.SingleNestedAttribute{
				Optional:            true,
				MarkdownDescription: "A gRPC health check.",
				Attributes: map[string]schema.Attribute{
					"port":    requiredString(portText),
					"service": attrs.OptionalString("Service name in the health request. Default: empty, the whole server."),
				},
			},
			"exec":                  execAttribute("A command in the container that must exit with 0."),
			"initial_delay_seconds": optionalInt32("Seconds from the container's start to the first probe. Default: 0."),
			"period_seconds":        optionalInt32("Seconds between probes. Default: 2 for readiness and startup probes that have no `failure_threshold` either; otherwise 10."),
			"timeout_seconds":       optionalInt32("Seconds after which a probe has failed. Default: 1."),
			"success_threshold":     optionalInt32("Successes in a row after which a failed probe counts as passed; 1 for liveness and startup probes. Default: 1."),
			"failure_threshold":     optionalInt32("Failures in a row after which the probe counts as failed. Default: 15 for readiness and startup probes that have no `period_seconds` either, which makes the usual 30 seconds; otherwise 3."),
		},
	}
}

func securityContextAttribute() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional:            true,
		MarkdownDescription: "Overrides, for this container, what `pod_security` sets. What is left out comes from there, then from the image.",
		Attributes: map[string]schema.Attribute{
			"run_as_user":                optionalID("User id of the process."),
			"run_as_group":               optionalID("Primary group id of the process."),
			"run_as_non_root":            optionalBool("Refuse to start as user 0."),
			"read_only_root_filesystem":  optionalBool("Mount the image's file system read-only."),
			"allow_privilege_escalation": optionalBool("Let the process gain more privileges than its parent (setuid)."),
			"privileged":                 optionalBool("Give the process all rights on the node."),
			"capabilities": schema.SingleNestedAttribute{
				Optional:            true,
				MarkdownDescription: "Linux capabilities, without `CAP_`.",
				Attributes: map[string]schema.Attribute{
					"add":  stringList("Capabilities to add, such as `NET_BIND_SERVICE`."),
					"drop": stringList("Capabilities to drop; `ALL` drops every one."),
				},
			},
		},
	}
}

func volumeAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"empty_dir": schema.SingleNestedAttribute{
			Optional:            true,
			MarkdownDescription: "Scratch space that lives as long as the pod.",
			Attributes: map[string]schema.Attribute{
				"medium":     attrs.OptionalString("`Memory` keeps it in RAM, counted against the memory limits. Default: the node's disk."),
				"size_limit": attrs.OptionalString("Kubernetes quantity above which the pod is evicted, such as `1Gi`. Default: none."),
			},
		},
		"config_map": filesAttribute("ConfigMap"),
		"secret":     filesAttribute("Secret"),
		"persistent_volume_claim": schema.SingleNestedAttribute{
			Optional:            true,
			MarkdownDescription: "An existing PersistentVolumeClaim in the same namespace. The old and the new deployment use it at the same time: its access mode must allow that.",
			Attributes: map[string]schema.Attribute{
				"claim_name": requiredString("Name of the PersistentVolumeClaim."),
				"read_only":  optionalBool("Default: `false`."),
			},
		},
		"projected": projectedAttribute(),
		"csi":       csiAttribute(),
		"ephemeral": claimOfPodAttribute(),
	}
}

func tolerationAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"key":      attrs.OptionalString("Taint key. Default: every key, with operator `Exists`."),
		"operator": attrs.OptionalString("`Equal` (default) compares `value`, `Exists` takes any value."),
		"value":    attrs.OptionalString("Taint value, with operator `Equal`."),
		"effect":   attrs.OptionalString("`NoSchedule`, `PreferNoSchedule` or `NoExecute`. Default: every effect."),
		"toleration_seconds": schema.Int64Attribute{
			CustomType:          attrs.WholeNumber64{},
			Optional:            true,
			MarkdownDescription: "With effect `NoExecute`: seconds that a pod stays on the node after it was tainted. Default: for ever.",
		},
	}
}

func requiredString(description string) schema.StringAttribute {
	return schema.StringAttribute{Required: true, MarkdownDescription: description}
}

func optionalBool(description string) schema.BoolAttribute {
	return schema.BoolAttribute{Optional: true, MarkdownDescription: description}
}

func optionalInt32(description string) schema.Int32Attribute {
	return schema.Int32Attribute{CustomType: attrs.WholeNumber32{}, Optional: true, MarkdownDescription: description}
}

func optionalID(description string) schema.Int64Attribute {
	return schema.Int64Attribute{
		CustomType:          attrs.WholeNumber64{},
		Optional:            true,
		MarkdownDescription: description,
		Validators:          []validator.Int64{int64validator.Between(0, 1<<31-1)},
	}
}

func stringList(description string) schema.ListAttribute {
	return schema.ListAttribute{
		ElementType:         types.StringType,
		Optional:            true,
		MarkdownDescription: description,
		Validators:          []validator.List{listvalidator.NoNullValues()},
	}
}
