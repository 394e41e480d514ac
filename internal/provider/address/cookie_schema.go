package address

import (
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
)

// What a cookie may consist of here: nothing that a data plane would have to quote.
var (
	cookieName  = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	cookieValue = regexp.MustCompile(`^[A-Za-z0-9_.~+/=%:-]+$`)
)

// cookieAttribute is `canary.match[].cookie`.
func cookieAttribute() schema.SingleNestedAttribute {
	text := func(what string, most int, of *regexp.Regexp) schema.StringAttribute {
		return schema.StringAttribute{
			Optional: true, MarkdownDescription: what,
			Validators: []validator.String{stringvalidator.LengthBetween(1, most), stringvalidator.RegexMatches(of, "must consist of letters, digits and signs that a cookie need not quote")},
		}
	}
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "A cookie of the request, which the application has set. This or `header`. It takes a Gateway that knows regular expressions of headers, which the Gateway API leaves to each implementation: " +
			"where it says that it does not, no share can be given, and all of the traffic goes back.",
		Validators: []validator.Object{attrs.Requires("name", "exact")},
		Attributes: map[string]schema.Attribute{
			"name":  text("Its name, such as `track`. Required.", 256, cookieName),
			"exact": text("Its value. Required.", 1024, cookieValue),
		},
	}
}
