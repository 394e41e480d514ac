package deployment

import (
	"context"
	"fmt"
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework/function"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

type nameFunction struct{}

// NewNameFunction is provider::switchback::deployment_name.
func NewNameFunction() function.Function { return nameFunction{} }

func (nameFunction) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = "deployment_name"
}

func (nameFunction) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	resp.Definition = function.Definition{
		Summary: "Name a deployment by its application and content hash.",
		MarkdownDescription: fmt.Sprintf("The name that a deployment's objects have: `<application>-<first %d characters of the content hash>`. "+
			"It is the `name` of the `switchback_deployment` with that `application` and `content_hash`, and with `<namespace>/` before it the `id`. "+
			"Use it where only the hash is at hand: from another configuration's output, or from the annotation `%s` of an object. "+
			"A deployment that changes in place (`strategy`) keeps the name that it was made with, whatever its content.", release.HashLength, release.AnnotationContentHash),
		Parameters: []function.Parameter{
			function.StringParameter{
				Name:                "application",
				MarkdownDescription: fmt.Sprintf("Name of the application: a DNS-1035 label of at most %d characters.", release.MaxApplicationLength),
			},
			function.StringParameter{
				Name:                "content_hash",
				MarkdownDescription: "The full content hash: 64 hexadecimal characters, in lower case.",
			},
		},
		Return: function.StringReturn{},
	}
}

var contentHash = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (nameFunction) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var application, hash string
	if resp.Error = req.Arguments.Get(ctx, &application, &hash); resp.Error != nil {
		return
	}
	if problems := workload.ValidateApplication(application); len(problems) > 0 {
		resp.Error = argumentError(0, problems[0].Summary, problems)
		return
	}
	if !contentHash.MatchString(hash) {
		resp.Error = argumentError(1, fmt.Sprintf("%q is not a content hash, which is 64 hexadecimal characters in lower case. "+
			"Use content_hash of a switchback_deployment.", hash), nil)
		return
	}
	resp.Error = resp.Result.Set(ctx, release.NameOf(application, hash))
}
