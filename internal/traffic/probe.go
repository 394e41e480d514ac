package traffic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
)

// Probe is a request through an application's real address, as its clients make it.
type Probe struct {
	URL     string
	Status  int           // that the answer must have
	Timeout time.Duration // for the whole answer
}

// probeBody is how much of an answer's body is read, and forgotten.
const probeBody = 64 << 10

// Shown is the URL without what may be nobody else's matter: its query.
func (p Probe) Shown() string {
	u, err := url.Parse(p.URL)
	if err != nil {
		return "an address that cannot be read"
	}
	if u.User, u.Fragment = nil, ""; u.RawQuery != "" {
		u.RawQuery = "…"
	}
	return u.String()
}

// Ask makes one request, on a connection of its own, so that it goes where a new client's
// goes. Redirects are answers as any other, and certificates are verified.
func (p Probe) Ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, p.Timeout, fmt.Errorf("there was no answer within %s", p.Timeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL, http.NoBody)
	if err != nil {
		return errors.New("its URL cannot be asked")
	}
	req.Header.Set("User-Agent", "terraform-provider-switchback")
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		var where *url.Error // it has the whole URL
		if errors.As(err, &where) {
			err = where.Err
		}
		if errors.Is(err, context.DeadlineExceeded) {
			err = context.Cause(ctx)
		}
		return errors.New(mask.Redact(err.Error()))
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	if _, err = io.CopyN(io.Discard, resp.Body, probeBody); err != nil && !errors.Is(err, io.EOF) {
		return errors.New(mask.Redact(err.Error()))
	}
	if resp.StatusCode != p.Status {
		return fmt.Errorf("it answered with the status %s", statusText(resp.StatusCode))
	}
	return nil
}

func statusText(code int) string {
	return strings.TrimSpace(strconv.Itoa(code) + " " + http.StatusText(code))
}

// text and probeIn are how a route remembers its probe. A URL has no spaces.
func (p Probe) text() string { return fmt.Sprintf("%s %d %s", p.URL, p.Status, p.Timeout) }

func probeIn(text string) *Probe {
	parts := strings.Split(text, " ")
	if len(parts) != 3 {
		return nil
	}
	status, err := strconv.Atoi(parts[1])
	timeout, err2 := time.ParseDuration(parts[2])
	if err != nil || err2 != nil {
		return nil
	}
	return &Probe{URL: parts[0], Status: status, Timeout: timeout}
}
