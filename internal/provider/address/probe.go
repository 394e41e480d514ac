package address

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-validators/int32validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// defaultProbeTimeout is how long an answer may take, and longestProbeTimeout how long it may
// be told to take: then the time for all of the attempts is over.
const (
	defaultProbeTimeout = 5 * time.Second
	longestProbeTimeout = 30 * time.Second
)

// probeModel is `traffic.gateway.probe`.
type probeModel struct {
	URL     *string `tfsdk:"url"`
	Status  *int32  `tfsdk:"status"`
	Timeout *string `tfsdk:"timeout"`
}

func probeAttribute() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional: true,
		MarkdownDescription: "A request to the real address, by its name and through the Gateway, from the machine on which Terraform runs. It is made after each share of the traffic that a new deployment gets, when the data plane has had its `settle`, and again for up to 30 seconds until it is answered as it should be. " +
			"Otherwise the share could not be given: all of the traffic goes back, and the apply fails. Who answers, the former or the new deployment, is as their shares are. The first deployment, and a way back to a former main deployment, are not asked about." + attrs.InPlace,
		Attributes: map[string]schema.Attribute{
			"url": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "What is asked for with `GET`, such as `https://api.example.com/healthz`. Certificates are verified, and redirects are not followed. It is in the state and on the route, so that no credentials may be in it. Required.",
				Validators:          []validator.String{stringvalidator.LengthBetween(1, 2048), probeURLValidator{}},
			},
			"status": schema.Int32Attribute{
				CustomType: attrs.WholeNumber32{}, Optional: true, MarkdownDescription: "The status that the answer must have. Default: 200.",
				Validators: []validator.Int32{int32validator.Between(200, 599)},
			},
			"timeout": schema.StringAttribute{
				Optional: true, MarkdownDescription: "How long an answer may take, as a text like `5s`, at most `" + longestProbeTimeout.String() + "`. Default: `" + defaultProbeTimeout.String() + "`.",
				Validators: []validator.String{attrs.IsPositiveDuration(), attrs.IsDurationUpTo(longestProbeTimeout)}, PlanModifiers: []planmodifier.String{attrs.KeepSameDuration()},
			},
		},
	}
}

// probeURLValidator accepts what can be asked over HTTP, and has no credentials in it. It
// never says what it was given.
type probeURLValidator struct{}

func (probeURLValidator) Description(context.Context) string {
	return "an address that begins with http:// or https:// and a host"
}

func (v probeURLValidator) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v probeURLValidator) ValidateString(ctx context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if !attrs.Known(req.ConfigValue) {
		return
	}
	u, err := url.Parse(req.ConfigValue.ValueString())
	switch {
	case err == nil && u.User != nil:
		resp.Diagnostics.AddAttributeError(req.Path, "Credentials in a URL", "The URL has a user or a password in front of its host, which would be in the state and on the route. Ask for something that answers without them.")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.ContainsAny(req.ConfigValue.ValueString(), " \t\r\n"):
		resp.Diagnostics.AddAttributeError(req.Path, "Invalid URL", fmt.Sprintf("Attribute %s is not %s, such as https://api.example.com/healthz.", req.Path, v.Description(ctx)))
	}
}

// probe is the same in the engine's terms.
func (m *probeModel) probe() *traffic.Probe {
	if m == nil || m.URL == nil {
		return nil
	}
	p := &traffic.Probe{URL: *m.URL, Status: http.StatusOK, Timeout: defaultProbeTimeout}
	if m.Status != nil {
		p.Status = int(*m.Status)
	}
	if timeout, err := time.ParseDuration(textOr(m.Timeout, "")); err == nil {
		p.Timeout = timeout
	}
	return p
}

// probeOf is the way back, without defaults.
func probeOf(p *traffic.Probe) *probeModel {
	if p == nil {
		return nil
	}
	m := &probeModel{URL: &p.URL}
	if p.Status != http.StatusOK {
		m.Status = new(int32(p.Status)) //nolint:gosec // three digits
	}
	if p.Timeout != defaultProbeTimeout {
		m.Timeout = new(attrs.DurationText(p.Timeout))
	}
	return m
}
