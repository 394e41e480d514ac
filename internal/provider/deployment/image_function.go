package deployment

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

type imageFunction struct{}

// NewImageFunction is provider::switchback::parse_image.
func NewImageFunction() function.Function { return imageFunction{} }

func (imageFunction) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = "parse_image"
}

func (imageFunction) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	resp.Definition = function.Definition{
		Summary: "Take an image reference apart.",
		MarkdownDescription: "Takes an image reference apart, and fills in what container runtimes assume where it says nothing: `nginx` is " +
			"`docker.io/library/nginx`. It asks no registry. The result is an object:\n\n" +
			"- `registry`: such as `ghcr.io`, with the port where there is one; `docker.io` where the reference names none.\n" +
			"- `repository`: the path within the registry, such as `acme/api`.\n" +
			"- `name`: registry and repository, without tag and digest.\n" +
			"- `tag`: null where the reference has none.\n" +
			"- `digest`: such as `sha256:…`; null where the reference has none.\n" +
			"- `version`: what `version` of a `switchback_deployment` is for this image by default: the tag, else the first 12 characters of the digest, else `latest`.",
		Parameters: []function.Parameter{function.StringParameter{
			Name:                "image",
			MarkdownDescription: "Image reference, such as `ghcr.io/acme/api:v1.4.0`, with a tag, a digest, both or neither.",
		}},
		Return: function.ObjectReturn{AttributeTypes: map[string]attr.Type{
			"registry": types.StringType, "repository": types.StringType, "name": types.StringType,
			"tag": types.StringType, "digest": types.StringType, "version": types.StringType,
		}},
	}
}

// imageModel is the result of parse_image.
type imageModel struct {
	Registry   types.String `tfsdk:"registry"`
	Repository types.String `tfsdk:"repository"`
	Name       types.String `tfsdk:"name"`
	Tag        types.String `tfsdk:"tag"`
	Digest     types.String `tfsdk:"digest"`
	Version    types.String `tfsdk:"version"`
}

func (imageFunction) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var image string
	if resp.Error = req.Arguments.Get(ctx, &image); resp.Error != nil {
		return
	}
	parsed, err := release.ParseImage(image)
	if err != nil {
		resp.Error = argumentError(0, err.Error(), workload.ValidateImage(image))
		return
	}
	resp.Error = resp.Result.Set(ctx, imageModel{
		Registry: types.StringValue(parsed.Registry), Repository: types.StringValue(parsed.Repository), Name: types.StringValue(parsed.Name),
		Tag: attrs.TextOrNull(parsed.Tag), Digest: attrs.TextOrNull(parsed.Digest), Version: types.StringValue(parsed.Version),
	})
}

// argumentError says what is wrong with one argument of a function, in the
// words of the validation that knows it; else plainly.
func argumentError(position int64, plain string, problems []workload.Problem) *function.FuncError {
	if len(problems) > 0 {
		plain = problems[0].Detail
	}
	return function.NewArgumentFuncError(position, explain.Sentence(plain))
}
