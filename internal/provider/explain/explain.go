package explain

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/group"
	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// Error tells every error in err, once for all clusters that tell the same.
func Error(diags *diag.Diagnostics, err error) {
	addErrors(diags, Place{}, err, func(one error) error { return one })
}

// addErrors is Error, with something more to be known of each of them.
func addErrors(diags *diag.Diagnostics, place Place, err error, as func(error) error) {
	for _, one := range rollout.Alike(flatten(err)) {
		summary, detail, at := Of(as(one))
		if at = place.At(at); at.Equal(path.Empty()) {
			diags.AddError(summary, detail)
		} else {
			diags.AddAttributeError(at, summary, detail)
		}
	}
}

// GroupError tells why each member has failed, at the member, and then what
// has become of all of them.
func GroupError(diags *diag.Diagnostics, err error) {
	addErrorsOfGroup(diags, err, func(_ string, one error) error { return one })
}

// addErrorsOfGroup is GroupError, with something more to be known of each member's
// errors; the name is empty for those of no member.
func addErrorsOfGroup(diags *diag.Diagnostics, err error, as func(member string, one error) error) {
	if failed := addErrorsOfMembers(diags, err, as); failed != nil {
		diags.AddAttributeError(path.Root("status"), "Deployment group did not move as a whole",
			Sentence(failed.Where())+"\n\nThe state says the same. The next apply goes on from there.")
	}
}

// GroupBackError tells why an action has not taken a group back. It changes no state.
func GroupBackError(diags *diag.Diagnostics, err error) {
	if failed := addErrorsOfMembers(diags, err, func(_ string, one error) error { return one }); failed != nil {
		diags.AddError("Deployment group did not go back as a whole", Sentence(failed.Where())+"\n\nThe next plan says the same.")
	}
}

// addErrorsOfMembers adds what each member has failed with. It is nil where no group
// has failed, but something that is about none of its members.
func addErrorsOfMembers(diags *diag.Diagnostics, err error, as func(member string, one error) error) *group.Error {
	var failed *group.Error
	if !errors.As(err, &failed) {
		addErrors(diags, Place{}, err, func(one error) error { return as("", one) })
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(failed.Failed)) {
		addErrors(diags, Member(name), failed.Failed[name], func(one error) error { return as(name, one) })
	}
	return failed
}

// Notices tells what should be known although all went well. Routine ones
// are left out where a replacement is under way.
func Notices(diags *diag.Diagnostics, notices []rollout.Notice, replaced bool) {
	for _, n := range notices {
		if replaced && n.Routine {
			continue
		}
		diags.AddWarning(mask.Redact(n.Summary), mask.Redact(n.Detail))
	}
}

// Paused tells, beside a state that nobody looks at after a success, in which pause an
// apply has ended. A command in reason is on a line of its own, to be copied.
func Paused(diags *diag.Diagnostics, status release.MainStatus, reason string) {
	if status == release.MainPaused {
		paused(diags, "Promotion is paused", "This is a success, and the traffic stays as it is: "+reason+".")
	}
}

// PausedChange is Paused, of a change of a deployment's content in place.
func PausedChange(diags *diag.Diagnostics, status release.Status, reason string) {
	if status == release.StatusPaused {
		paused(diags, "Change is paused", "This is a success, and the pods stay as they are: "+reason+".")
	}
}

func paused(diags *diag.Diagnostics, summary, detail string) {
	if before, rest, found := strings.Cut(detail, ": `"); found {
		command, after, _ := strings.Cut(rest, "`")
		detail = before + ":\n\n  " + command + "\n\nRun that" + after
	}
	diags.AddWarning(summary, detail)
}

// Tolerated warns of the clusters on which a change has failed that has
// succeeded as a whole.
func Tolerated(diags *diag.Diagnostics, outcomes []rollout.Outcome) {
	var starts []error
	for _, o := range outcomes {
		for _, one := range flatten(o.Err) {
			var start *rollout.StartError
			if errors.As(one, &start) {
				starts = append(starts, one)
			} else {
				warnOfCluster(diags, fmt.Sprintf("cluster %q", o.Cluster), one, "The change stands")
			}
		}
	}
	for _, one := range rollout.Alike(starts) {
		var start *rollout.StartError
		errors.As(one, &start)
		warnOfCluster(diags, start.Where(), one, "The change stands")
	}
}

// LeftBehind does the same for a promotion.
func LeftBehind(diags *diag.Diagnostics, outcomes []rollout.MainOutcome) {
	for _, o := range outcomes {
		warnOfCluster(diags, fmt.Sprintf("cluster %q", o.Cluster), o.Err, "Traffic has moved")
	}
}

// warnOfCluster tells what went wrong somewhere while stands is true of the other
// clusters.
func warnOfCluster(diags *diag.Diagnostics, where string, err error, stands string) {
	if err == nil {
		return
	}
	for _, one := range flatten(err) {
		summary, detail, _ := Of(one)
		diags.AddWarning(fmt.Sprintf("%s (%s; the others went on)", summary, where),
			detail+"\n\n"+stands+" on the other clusters, as rollout.on_failure = \"continue\" asks for. The next plan shows what is missing, and the next apply goes on there.")
	}
}

// Unreachable says that an error is a cluster that cannot be reached.
func Unreachable(err error) bool {
	var unreachable interface{ Unreachable() bool }
	return errors.As(err, &unreachable) && unreachable.Unreachable()
}

// flatten takes joined errors apart, each of which gets a diagnostic.
func flatten(err error) []error {
	switch e := err.(type) { //nolint:errorlint // these very errors, not what they wrap
	case *cluster.InterruptedError:
		return []error{err} // one event, with two sides
	case interface{ Unwrap() []error }:
		var all []error
		for _, one := range e.Unwrap() {
			all = append(all, flatten(one)...)
		}
		return all
	default:
		return []error{err}
	}
}

// Sentence is what an error says, fit to be shown: clean, without credentials. It
// begins with a capital letter and ends with a full stop.
func Sentence(text string) string {
	text = mask.Redact(text)
	if text == "" {
		return text
	}
	text = strings.ToUpper(text[:1]) + text[1:]
	if last := text[strings.LastIndexByte(text, '\n')+1:]; strings.HasPrefix(last, "  ") {
		return text // a command, or a rule: it is to be copied
	}
	if strings.ContainsAny(text[len(text)-1:], ".!?\n") {
		return text
	}
	return text + "."
}

// Unfinished tells that traffic has moved but that something is left to do.
func Unfinished(diags *diag.Diagnostics, status release.MainStatus, err error) {
	for _, one := range flatten(err) {
		_, detail, _ := Of(one)
		diags.AddAttributeWarning(path.Root("status"), "Traffic has moved, but the promotion is unfinished",
			fmt.Sprintf("%s\n\nThe status is %q; the next apply goes on from there.", detail, status))
	}
}
