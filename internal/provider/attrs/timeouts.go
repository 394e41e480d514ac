package attrs

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-log/tflog"
)

// DefaultTimeout is for every operation whose timeout is not configured;
// defaultTimeoutText is the same in the documentation.
const (
	DefaultTimeout     = 10 * time.Minute
	defaultTimeoutText = "10m"
)

// TimeoutsAttribute is `timeouts`; until says what is waited for, and beside what a create or
// an update has time for by default, beside that for its work.
func TimeoutsAttribute(ctx context.Context, until, beside string) schema.Attribute {
	how := func(what, beside string) string {
		return what + " Default: `" + defaultTimeoutText + "`" + beside + "."
	}
	a := timeouts.Attributes(ctx, timeouts.Opts{
		Create: true, Update: true, Delete: true,
		CreateDescription: how("How long a create may take "+until+".", beside),
		UpdateDescription: how("How long an update may take "+until+".", beside),
		DeleteDescription: how("How long a delete may take until everything is gone.", ""),
	}).(schema.SingleNestedAttribute)
	a.MarkdownDescription = "How long the operations may take, as texts like `90s`, `10m` or `1h30m`." + InPlace
	return a
}

// Quiet leaves out what the timeouts library says at INFO of every timeout that
// nobody set: twice for each plan of each resource.
func Quiet(ctx context.Context) context.Context {
	return tflog.OmitLogWithMessageStrings(ctx, "configuration not found, using provided default")
}
