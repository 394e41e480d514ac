package provider

import (
	"maps"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
)

// environmentVariables by the attribute that they stand for.
var environmentVariables = cluster.Variables()

func providerSchema() schema.Schema {
	attributes := map[string]schema.Attribute{
		"clusters": schema.MapNestedAttribute{
			Optional: true,
			MarkdownDescription: "The clusters to release on, by the name that resources call them. " +
				"Conflicts with the connection attributes at the top level, which describe a single cluster named `" + defaultCluster + "`.",
			NestedObject: schema.NestedAttributeObject{Attributes: connectionAttributes(false)},
		},
	}
	attributes["server_dry_run"] = schema.BoolAttribute{
		Optional: true,
		MarkdownDescription: "Whether a plan asks the API servers what they would say to the objects of a deployment that is created or changed in place: with a dry run, which writes nothing. " +
			"What they refuse is an error of the plan; what they warn of is a warning. Default: they are asked where that is possible, and nothing is said where it is not: without the permission, before the namespace is there, with a webhook that takes no dry runs. " +
			"`true` warns of that; `false` asks nothing.",
	}
	maps.Copy(attributes, connectionAttributes(true))
	return schema.Schema{
		MarkdownDescription: "Releases applications on Kubernetes: blue-green, on one cluster or many, with a way back that takes seconds. " +
			"Nothing needs to be installed in the clusters.\n\n" +
			"A connection is always explicit: `clusters`, or the same attributes at the top level, each of which may come from the environment variable that the hashicorp/kubernetes provider has for it (`KUBE_CONFIG_PATH`, `KUBE_CTX`, `KUBE_HOST`, …). " +
			"There is no fallback to `localhost`, `~/.kube/config` or a service account.",
		Attributes: attributes,
	}
}

// connectionAttributes are named as in the hashicorp/kubernetes provider. Only
// those of the provider itself can come from the environment.
func connectionAttributes(fromEnvironment bool) map[string]schema.Attribute {
	describe := func(attribute, text string) string {
		if !fromEnvironment {
			return text
		}
		return text + " Environment variable: `" + environmentVariables[attribute] + "`."
	}
	return map[string]schema.Attribute{
		"config_path": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: describe("config_path", "Path of a kubeconfig file; a leading `~` is the home directory."),
		},
		"config_paths": schema.ListAttribute{
			Optional:            true,
			ElementType:         types.StringType,
			MarkdownDescription: describe("config_paths", "Paths of kubeconfig files that are merged. Conflicts with `config_path`."),
		},
		"config_context": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: describe("config_context", "Context of the kubeconfig. Default: its current context."),
		},
		"config_context_cluster": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: describe("config_context_cluster", "Cluster of the kubeconfig, instead of the context's."),
		},
		"config_context_auth_info": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: describe("config_context_auth_info", "User of the kubeconfig, instead of the context's."),
		},
		"host": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: describe("host", "URL of the API server, e.g. `https://10.0.0.1:6443`."),
		},
		"token": schema.StringAttribute{
			Optional: true, Sensitive: true,
			MarkdownDescription: describe("token", "Bearer token. One that expires during a long apply fails it: prefer `exec`. It displaces every credential of the kubeconfig's user."),
		},
		"cluster_ca_certificate": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: describe("cluster_ca_certificate", "PEM-encoded certificate authority that signed the API server's certificate."),
		},
		"client_certificate": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: describe("client_certificate", "PEM-encoded client certificate. It displaces every credential of the kubeconfig's user."),
		},
		"client_key": schema.StringAttribute{
			Optional: true, Sensitive: true,
			MarkdownDescription: describe("client_key", "PEM-encoded key of the client certificate."),
		},
		"username": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: describe("username", "User name for basic authentication, which a proxy in front of the API server may ask for; Kubernetes itself no longer takes it. "+
				"Conflicts with `token` and `exec`."),
		},
		"password": schema.StringAttribute{
			Optional: true, Sensitive: true,
			MarkdownDescription: describe("password", "Password of the user name."),
		},
		"insecure": schema.BoolAttribute{
			Optional:            true,
			MarkdownDescription: describe("insecure", "Whether the API server's certificate is left unchecked. Conflicts with `cluster_ca_certificate`."),
		},
		"tls_server_name": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: describe("tls_server_name", "Name that the API server's certificate must have. Default: the host's."),
		},
		"proxy_url": schema.StringAttribute{
			Optional:            true,
			MarkdownDescription: describe("proxy_url", "URL of a proxy for all requests to the API server."),
		},
		"exec": schema.SingleNestedAttribute{
			Optional:            true,
			MarkdownDescription: "Command that prints a credential, called once a run and again when the credential expires or is refused. It displaces every credential of the kubeconfig's user, and conflicts with `token`, `client_certificate` and `username`.",
			Attributes: map[string]schema.Attribute{
				"api_version": schema.StringAttribute{
					Required:            true,
					MarkdownDescription: "Version of the protocol: " + codeList(cluster.ExecAPIVersions()) + ".",
					Validators:          []validator.String{stringvalidator.OneOf(cluster.ExecAPIVersions()...)},
				},
				"command": schema.StringAttribute{
					Required:            true,
					MarkdownDescription: "The command: a path, or a name that is looked up in `PATH`.",
				},
				"args": schema.ListAttribute{
					Optional:            true,
					ElementType:         types.StringType,
					MarkdownDescription: "Arguments of the command.",
				},
				"env": schema.MapAttribute{
					Optional: true, Sensitive: true,
					ElementType:         types.StringType,
					MarkdownDescription: "Environment variables for the command, beyond those of Terraform itself.",
				},
			},
		},
		"expected_uid": schema.StringAttribute{
			Optional: true,
			MarkdownDescription: "UID of the cluster's `kube-system` namespace (`kubectl get namespace kube-system -o jsonpath={.metadata.uid}`). " +
				"When the connection leads to another cluster, nothing is read or written.",
		},
	}
}

func codeList(values []string) string {
	var b []byte
	for i, v := range values {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, '`')
		b = append(b, v...)
		b = append(b, '`')
	}
	return string(b)
}
