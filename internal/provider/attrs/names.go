package attrs

import (
	"fmt"
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// DeploymentIDAttribute is whose logs or events are asked for.
func DeploymentIDAttribute() schema.StringAttribute {
	return schema.StringAttribute{
		Required:            true,
		MarkdownDescription: "The deployment: `id` of a `switchback_deployment`, `<namespace>/<name>`, whoever manages it.",
	}
}

// MainID is the import id of a main deployment.
func MainID(namespace, application string) string { return namespace + "/" + application }

// CheckDeploymentID says early what would otherwise fail at apply, or worse,
// point one application's address at another's pods. It is asked at plan, not by
// ValidateConfig: of a mocked provider (mock_provider in terraform test) core
// still asks the validation, and a mocked id is any text.
func CheckDeploymentID(at path.Path, deployment, namespace, application types.String) diag.Diagnostics {
	var diags diag.Diagnostics
	if !Known(deployment) {
		return diags
	}
	id, err := release.ParseID(deployment.ValueString())
	of, ok := release.ApplicationOf(id.Name)
	switch {
	case err != nil || !ok:
		diags.AddAttributeError(at, "Invalid deployment id",
			fmt.Sprintf("%q is not the id of a deployment, which looks like \"shop/api-7f3c9a1e\". Use the `id` of a switchback_deployment.", deployment.ValueString()))
	case Known(namespace) && id.Namespace != namespace.ValueString():
		diags.AddAttributeError(at, "Deployment of another namespace",
			fmt.Sprintf("The deployment %s is in namespace %q, this main deployment in %q. A Service reaches only pods of its own namespace.", id, id.Namespace, namespace.ValueString()))
	case Known(application) && of != application.ValueString():
		diags.AddAttributeError(at, "Deployment of another application",
			fmt.Sprintf("The deployment %s is of application %q, this main deployment of %q. Use a deployment of the same application.", id, of, application.ValueString()))
	}
	return diags
}

var (
	// DNS1035 is the form of names that Services can have.
	DNS1035 = regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)
	// DNS1123 is the form of all other names.
	DNS1123 = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
)

// ApplicationName accepts names of applications.
func ApplicationName() []validator.String {
	return []validator.String{
		stringvalidator.LengthBetween(1, release.MaxApplicationLength),
		stringvalidator.RegexMatches(DNS1035, "must be lower case letters, digits and -, beginning with a letter and not ending with -"),
	}
}

// NamespaceName accepts names of namespaces.
func NamespaceName() []validator.String {
	return []validator.String{
		stringvalidator.LengthBetween(1, 63),
		stringvalidator.RegexMatches(DNS1123, "must be lower case letters, digits and -, and neither begin nor end with -"),
	}
}
