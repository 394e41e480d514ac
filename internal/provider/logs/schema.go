package logs

import (
	"context"
	"fmt"
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework-validators/boolvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/int32validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/diagnose"
	"github.com/switchback-dev/terraform-provider-switchback/internal/logs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
)

var sourceMeaning = map[logs.Source]string{
	logs.SourceContainer: "what its containers write",
	logs.SourceEvents:    "what the cluster says about it, as lines",
}

func logsSchema() schema.Schema {
	return schema.Schema{
		MarkdownDescription: "What a deployment writes: the logs of all containers of its pods, on every cluster, as one log in the order of time. " +
			"In the state, what looks like a credential is masked; no pattern knows every secret, so do not log any. " + session.ReadAnew,
		Attributes: map[string]schema.Attribute{
			"deployment": attrs.DeploymentIDAttribute(),
			"clusters":   attrs.DataClustersAttribute(),
			"type": schema.StringAttribute{
				Optional: true, Validators: []validator.String{attrs.OneOf(logs.Sources())},
				MarkdownDescription: "Which log: " + attrs.EnumText(logs.Sources(), sourceMeaning) + ". Default: `" + string(logs.SourceContainer) + "`.",
			},
			"container": schema.StringAttribute{
				Optional: true, Validators: []validator.String{stringvalidator.LengthBetween(1, 63)},
				MarkdownDescription: "Only this container, of the application's (its name is the application's), init containers and sidecars. Default: all.",
			},
			"previous": schema.BoolAttribute{Optional: true, MarkdownDescription: "The run that ended last, of containers that were restarted, in place of what runs now: how one that crashes ended."},
			"since": schema.StringAttribute{
				Optional: true, Validators: []validator.String{attrs.IsPositiveDuration()},
				MarkdownDescription: "Only what is not older, as in `15m`, by the clock of the node. Default: all that the node still has.",
			},
			"tail": schema.Int32Attribute{
				CustomType: attrs.WholeNumber32{},
				Optional:   true, Validators: []validator.Int32{int32validator.Between(1, diagnose.LogLines)},
				MarkdownDescription: fmt.Sprintf("At most so many lines of each container: the last that pass the filters. Default: %d. All together are at most %d lines and %d KiB, the last ones; `notes` says what was left out.",
					defaultTail, diagnose.LogLines, diagnose.LogBytes>>10),
			},
			"level": schema.StringAttribute{
				Optional: true, Validators: []validator.String{attrs.OneOf(logs.Levels())},
				MarkdownDescription: "Only lines that are as bad, or worse: " + attrs.EnumText(logs.Levels(), nil) + ". Levels are known in JSON (`level`, `severity` and other names, also in numbers), `level=` of logfmt, " +
					"klog's heads, and words like `ERROR` or `[warn]` at the head of a line. The further lines of a stack trace have the level of its first. Lines whose level is not known are left out.",
			},
			"contains": schema.StringAttribute{Optional: true, MarkdownDescription: "Only lines that contain this text."},
			"regex": schema.StringAttribute{
				Optional: true, Validators: []validator.String{isRegex{}},
				MarkdownDescription: "Only lines that match this regular expression, in [RE2 syntax](https://github.com/google/re2/wiki/Syntax).",
			},
			"download_path": schema.StringAttribute{
				Optional: true, Validators: []validator.String{stringvalidator.LengthAtLeast(1)},
				MarkdownDescription: "A file for the whole log of these containers, without filters and limits. It is written at each read, also in a plan, with mode 0600, and is never there in part. Its directory must exist. A relative path is one from where Terraform runs.",
			},
			"redact": schema.BoolAttribute{
				Optional: true, Validators: []validator.Bool{boolvalidator.AlsoRequires(path.MatchRoot("download_path"))},
				MarkdownDescription: "Whether what looks like a credential is masked in the file at `download_path`, too. Default: true. With false the file holds what was written, with any secret in it; the state never does.",
			},
			"entries": schema.ListNestedAttribute{
				Computed: true, MarkdownDescription: "The lines, in the order of time.",
				NestedObject: schema.NestedAttributeObject{Attributes: logEntryAttributes()},
			},
			"text": attrs.DataString("The same lines as one text: time, cluster/pod/container, line."),
			"notes": schema.ListAttribute{
				Computed: true, ElementType: types.StringType,
				MarkdownDescription: "What is not among the lines, and why: containers that have no log yet, and what is beyond the limits.",
			},
			"downloaded_path":  attrs.DataString("The file's absolute path; null without `download_path`."),
			"downloaded_bytes": schema.Int64Attribute{Computed: true, MarkdownDescription: "Its length."},
			"downloaded_lines": schema.Int64Attribute{Computed: true, MarkdownDescription: "How many lines it has."},
		},
	}
}

func logEntryAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"time":      attrs.DataString("When the node took the line, in RFC 3339 with nanoseconds; null where it does not say."),
		"cluster":   attrs.DataString("Name of the cluster."),
		"pod":       attrs.DataString("Name of the pod; null for an event about something else."),
		"container": attrs.DataString("Name of the container; null for an event about none."),
		"level":     attrs.DataString("How bad the line says that it is; null where it does not."),
		"message":   attrs.DataString("The line as it was written, without colours and what looks like a credential."),
	}
}

// isRegex accepts regular expressions that can be compiled.
type isRegex struct{}

func (isRegex) Description(context.Context) string { return "a regular expression" }

func (v isRegex) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (isRegex) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	if _, err := regexp.Compile(req.ConfigValue.ValueString()); err != nil {
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid regular expression", explain.Sentence(err.Error()))
	}
}
