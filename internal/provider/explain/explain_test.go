package explain_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/diagnose"
	"github.com/switchback-dev/terraform-provider-switchback/internal/group"
	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// planted is what a cluster may say to whoever reads it on a terminal: clipboard,
// title, clear screen, C1, carriage return, backspace, bidi, and credentials that a
// cursor move cuts in two.
const planted = "denied \x1b]52;c;ZXZpbA==\a\x1b]0;owned\a\x1b[2J\x1b[1;1H\u009b2J\rApply complete!\b\b\u202egnp\u202c\u200b " +
	"pass\x1b[1Cword=hunter2hunter2 ghp_0123456789\x1b[1Dabcdefghij0123456789 sees /var/run"

// wantClean fails the test where a text would act on a terminal or shows the
// credentials, and where nothing is left to read.
func wantClean(t *testing.T, way, text string) {
	t.Helper()
	acts := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Cf, r) }
	if strings.ContainsFunc(text, acts) || strings.Contains(text, "hunter2") || strings.Contains(text, "ghp_") || strings.Contains(text, "abcdefghij") || strings.Contains(text, "owned") {
		t.Errorf("%s shows %q", way, text)
	}
	if !strings.Contains(text, "sees /var/run") {
		t.Errorf("%s does not show what was said: %q", way, text)
	}
}

// TestWhatIsToldIsClean, whatever way it takes to a person.
func TestWhatIsToldIsClean(t *testing.T) {
	t.Parallel()
	id := release.ID{Namespace: "shop", Name: "api-7f3c9a1e"}
	refused := apierrors.NewForbidden(schema.GroupResource{Group: "apps", Resource: "deployments"}, "api-1", &apierrors.StatusError{ErrStatus: metav1.Status{Message: planted}})
	said := errors.New(planted)
	failures := map[string]error{
		"an answer":                 refused,
		"an unknown error":          said,
		"a failed start":            &rollout.StartError{ID: id, Cluster: "prod", Err: refused},
		"a way back that failed":    &rollout.StartError{ID: id, Cluster: "prod", RolledBack: planted, Traffic: planted, Left: planted},
		"a failed bake":             &rollout.BakeError{ID: id, Cluster: "prod", Seen: planted},
		"a stop that does not end":  &release.StopError{ID: id, Cluster: "prod", Err: said},
		"a claim by somebody":       &release.StaleOwnerError{ID: id.String(), Kind: "deployment", Holder: planted},
		"a Lease":                   &ownership.LockedError{Holder: planted, Err: said},
		"a cluster that is away":    &cluster.UnreachableError{Err: said},
		"a credential":              &cluster.CredentialError{Err: said},
		"what carries traffic":      &release.CarriesError{ID: id, Cluster: "prod", Why: planted},
		"a request for cancelling":  &release.CancelledError{ID: id, Cluster: "prod", By: planted},
		"an address without a name": &release.NoAddressError{Cluster: "prod", Err: said},
	}
	ways := map[string]func(*diag.Diagnostics, error){
		"an error": explain.Error,
		"a member's error": func(d *diag.Diagnostics, err error) {
			explain.GroupError(d, &group.Error{Failed: map[string]error{"api": err}})
		},
		"the group's own": func(d *diag.Diagnostics, err error) { explain.GroupError(d, &group.Error{Err: err, Refused: err}) },
		"a warning of one cluster": func(d *diag.Diagnostics, err error) {
			explain.Tolerated(d, []rollout.Outcome{{Cluster: "prod", Err: err}})
		},
		"a warning of one address": func(d *diag.Diagnostics, err error) {
			explain.LeftBehind(d, []rollout.MainOutcome{{Cluster: "prod", Err: err}})
		},
		"a promotion that is not over": func(d *diag.Diagnostics, err error) { explain.Unfinished(d, release.MainFinalizing, err) },
		"a notice": func(d *diag.Diagnostics, err error) {
			explain.Notices(d, []rollout.Notice{{Summary: "A notice", Detail: err.Error()}}, false)
		},
	}
	for way, tell := range ways {
		for what, err := range failures {
			var diags diag.Diagnostics
			tell(&diags, err)
			for _, d := range diags {
				text := d.Summary() + "\n" + d.Detail()
				if strings.Contains(d.Summary(), "did not move as a whole") && way != "the group's own" {
					continue // the member's error has it
				}
				wantClean(t, way+" of "+what, text)
			}
			if len(diags) == 0 {
				t.Errorf("%s of %s is not told", way, what)
			}
		}
	}
}

func TestProgressAndDriftAreClean(t *testing.T) {
	t.Parallel()
	var lines []string
	s := session.NewStream(func(e action.InvokeProgressEvent) { lines = append(lines, e.Message) })
	s.Say(planted)
	s.End(context.Background())
	wantClean(t, "progress", strings.Join(lines, "\n"))
	for _, d := range attrs.FieldDrift("prod", "Deployment/api", []workload.FieldDrift{{Field: "spec.x", Expected: "a", Actual: planted, Manager: planted}}) {
		wantClean(t, "drift", d.Actual.ValueString())
		wantClean(t, "the manager of a field", d.Manager.ValueString())
	}
}

// TestOwnTextsStayAsTheyAre: what we say ourselves is no credential.
func TestOwnTextsStayAsTheyAre(t *testing.T) {
	t.Parallel()
	for _, err := range []error{
		&release.StaleOwnerError{ID: "shop/api", Kind: "deployment"}, &release.MainOwnedError{ID: "shop/api"}, &release.TakenBackError{}, explain.Kept(errors.New("it is away")), explain.Vouched(errors.New("it is away")),
		&cluster.MissingPermissionsError{}, &cluster.NoCredentialError{Err: errors.New("it is forbidden")}, &release.CarriesError{}, &release.GroupOwnedError{}, &diagnose.NotAllowedError{Err: errors.New("it is forbidden")},
	} {
		_, detail, _ := explain.Of(err)
		if again := mask.Redact(detail); again != detail {
			t.Errorf("%q\nis masked as %q", detail, again)
		}
	}
}

// TestARecordThatCannotBeReadIsNamed, not told as just any failure.
func TestARecordThatCannotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	if summary, _, _ := explain.Of(&ownership.UnreadableError{Err: errors.New("its record.json cannot be read")}); summary != "Record cannot be read" {
		t.Error(summary)
	}
}

// TestARouteIsNotToBeIgnored: what an Ingress leads to is real traffic, so that it is
// to lead elsewhere.
func TestARouteIsNotToBeIgnored(t *testing.T) {
	t.Parallel()
	_, detail, _ := explain.Of(&release.CarriesError{Why: "the Ingress shop/www leads to its Service api-1", Route: "Ingress shop/www"})
	if strings.Contains(detail, "ignore_services") || !strings.Contains(detail, "Let the Ingress shop/www lead to the application's main Service instead") {
		t.Error(detail)
	}
	if _, detail, _ := explain.Of(&release.CarriesError{Why: "the Service shop/metrics selects its pods"}); !strings.Contains(detail, "ignore_services") {
		t.Error(detail)
	}
}

// TestACreateHasNothingToForget: after one that failed, nothing is in the state.
func TestACreateHasNothingToForget(t *testing.T) {
	t.Parallel()
	id := release.ID{Namespace: "shop", Name: "api-0b8e4d27"}
	for what, err := range map[string]error{
		"taken over by another state": &release.TakenOverError{Cluster: "prod", ID: id, Claimed: true},
		"claimed by another state":    &release.StaleOwnerError{Cluster: "prod", Kind: "deployment", ID: id.String()},
	} {
		var update, create diag.Diagnostics
		explain.Error(&update, err)
		explain.CreationError(&create, errors.Join(err), "")
		if text := update[0].Detail(); !strings.Contains(text, "state rm") {
			t.Errorf("%s in an update: %s", what, text)
		}
		if text := create[0].Detail(); strings.Contains(text, "state rm") || !strings.Contains(text, "Nothing of it is in this state") || !strings.Contains(text, "apply again") {
			t.Errorf("%s in a create: %s", what, text)
		}
		if text := mask.Redact(create[0].Detail()); text != create[0].Detail() {
			t.Errorf("it is masked as %s", text)
		}
	}
	// What is the same in both has one row.
	for _, err := range []error{&release.TakenOverError{Cluster: "prod", ID: id, Gone: true, Claimed: true}, &release.TakenOverError{Cluster: "prod", ID: id, Holder: "a job"}} {
		var update, create diag.Diagnostics
		explain.Error(&update, err)
		explain.CreationError(&create, err, "")
		if update[0].Detail() != create[0].Detail() {
			t.Errorf("%s\nin a create: %s", update[0].Detail(), create[0].Detail())
		}
	}
}

// TestSentence: it ends with a full stop, but for what is to be copied.
func TestSentence(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"it is away":                           "It is away.",
		"It is away. Try again!":               "It is away. Try again!",
		"delete it:\n  kubectl delete pod api": "Delete it:\n  kubectl delete pod api",
		"a rule:\n  - {verbs: [get]}":          "A rule:\n  - {verbs: [get]}",
		"":                                     "",
	} {
		if got := explain.Sentence(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
