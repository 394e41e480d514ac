package attrs

import (
	"time"

	dataschema "github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// partMeaning says what the parts of a start are.
var partMeaning = map[release.Part]string{
	release.PartQueue:     "Seconds from the pod's creation until it had a node.",
	release.PartBuild:     "Seconds that building the image took; null, since no image is built.",
	release.PartImagePull: "Seconds that pulling the pod's images took, with the wait for the node's other pulls; null where all images were on the node, or its events cannot be read any more.",
	release.PartStartup:   "Seconds from the start of the pod's first container, an init container where there is one, until the pod was ready, less what was pulled in between. Null where a container has been restarted more than once.",
}

// What the documentation says of them.
const (
	DurationsMeaning = "How long the last change of it took, in seconds. `total` is what its user waited. The parts are those of the pod that took longest, as the cluster tells: mostly in whole seconds, " +
		"and null where they are not known, or where no pod was started, as when a deployment is found again. They need not add up to `total`."
	TotalMeaning = "Seconds from the first write until it was as asked for."
)

// Durations is how long one thing took.
type Durations struct {
	Total     types.Float64 `tfsdk:"total"`
	Queue     types.Float64 `tfsdk:"queue"`
	Build     types.Float64 `tfsdk:"build"`
	ImagePull types.Float64 `tfsdk:"image_pull"`
	Startup   types.Float64 `tfsdk:"startup"`
}

func newDurationsModel(d release.Durations) Durations {
	return Durations{
		Total: Seconds(d.Total), Queue: SecondsOrNull(d.Queue), Build: SecondsOrNull(d.Build),
		ImagePull: SecondsOrNull(d.ImagePull), Startup: SecondsOrNull(d.Startup),
	}
}

// DurationsOrNil is a data source's; nil where nothing was measured.
func DurationsOrNil(d release.Durations) *Durations {
	if d == (release.Durations{}) {
		return nil
	}
	return new(newDurationsModel(d))
}

// Seconds is a length of time as a number, to the millisecond: what is finer is noise,
// and prints as 1.5659999999999998.
func Seconds(d time.Duration) types.Float64 {
	return types.Float64Value(float64(d.Round(time.Millisecond).Milliseconds()) / 1000)
}

// SecondsOrNull is null for what was not measured.
func SecondsOrNull(d *time.Duration) types.Float64 {
	if d == nil {
		return types.Float64Null()
	}
	return Seconds(*d)
}

// DurationNames are total and the parts, with what they mean.
func DurationNames(total string) map[string]string {
	names := map[string]string{"total": total}
	for _, part := range release.Parts() {
		names[string(part)] = partMeaning[part]
	}
	return names
}

// DataDurationsAttribute is a data source's.
func DataDurationsAttribute(description string) dataschema.SingleNestedAttribute {
	attributes := map[string]dataschema.Attribute{}
	for name, description := range DurationNames(TotalMeaning) {
		attributes[name] = dataschema.Float64Attribute{Computed: true, MarkdownDescription: description}
	}
	return dataschema.SingleNestedAttribute{Computed: true, MarkdownDescription: description, Attributes: attributes}
}
