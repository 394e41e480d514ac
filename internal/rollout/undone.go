package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// undoneError is what a clean-up could not do, where no pods run on for it.
type undoneError struct {
	cluster string
	id      release.ID
	err     error
}

func (e *undoneError) Error() string {
	return fmt.Sprintf("What had begun of %s on cluster %q could not all be put in order, so that its pods may go on running: %v. "+
		"The next apply of it goes on from there. To see what is there:\n  kubectl --namespace %s get deployment,pod --selector %s=%s",
		e.id, e.cluster, e.err, e.id.Namespace, release.LabelDeployment, e.id.Name)
}

// putInOrder does something on every cluster at once, and returns each one's
// error.
func putInOrder(claims []*claim, do func(*claim) error) []error {
	errs, _ := fleet.All(claims, func(cl *claim) (error, error) { return do(cl), nil })
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

// told adds to why an operation has failed what its clean-up could not do. That
// something is somebody else's by now is told once.
func told(err error, unclean ...error) error {
	for _, one := range unclean {
		if one != nil && !errors.Is(err, one) {
			err = errors.Join(err, one)
		}
	}
	return err
}

// cleanUp does what follows a failure, on every cluster at once, and returns what
// it could not do.
func cleanUp(claims []*claim, do func(*claim) error) []error {
	return putInOrder(claims, func(cl *claim) error { return cl.undone(do(cl)) })
}

// undone is what a clean-up could not do; nil where there is nothing to tell: of a
// way back the outcome tells. That pods run on, or that the release is somebody
// else's to put in order, says so itself.
func (cl *claim) undone(err error) error {
	var running *release.LeftRunningError
	var stale *release.StaleOwnerError
	switch {
	case err == nil, cl.goesBack() && cl.roll.err != nil && cl.Gone() == nil:
		return nil
	case ownership.Lost(context.Background(), err) != nil, errors.As(err, &stale), errors.As(err, &running):
		return err
	}
	return &undoneError{cl.cluster.Name(), cl.target.id, err}
}

// withUnclean adds to why an operation has failed which pods run on after its clean-up, and
// who has now what was to be cleaned up. What else could not be done are notices.
func withUnclean(err error, unclean []error) ([]Notice, error) {
	var rest []error
	for _, one := range unclean {
		if undone := (*undoneError)(nil); errors.As(one, &undone) {
			rest = append(rest, one)
		} else {
			err = told(err, one)
		}
	}
	return notCleanedUp(rest), err
}

// notCleanedUp tells what could not be put in order of an operation that did not
// fail for it.
func notCleanedUp(unclean []error) []Notice {
	var notices []Notice
	for _, err := range unclean {
		n := Notice{Summary: "Clean-up did not come to its end", Detail: mask.Redact(err.Error())}
		var left *release.LeftRunningError
		if errors.As(err, &left) {
			n = Notice{Summary: "Pods keep running", Detail: mask.Redact(left.Error()) + ".\n\n" + left.Next()}
		}
		notices = append(notices, n)
	}
	return notices
}

// tellLeft says of a failed create what it has left in the clusters, and when that
// goes: in the errors that tell of its pods, or where there is none, in a notice.
func tellLeft(err error, claims []*claim) []Notice {
	var on []string
	pods, rest := "", true
	var t target
	for _, cl := range claims {
		if cl.left != "" {
			on, pods, t = append(on, fmt.Sprintf("%q", cl.cluster.Name())), cl.left, cl.target
			rest = rest && cl.alone
		}
	}
	if len(on) == 0 {
		return nil
	}
	where := "cluster " + on[0]
	if len(on) > 1 {
		where = "clusters " + strings.Join(on, ", ")
	}
	id, last := t.id, ""
	if rest {
		last = fmt.Sprintf("Nothing else of the application is there. To remove its history and its Lease, too:\n  kubectl --namespace %s delete configmap/%s lease/%[2]s\n",
			id.Namespace, release.MainName(t.application()))
	}
	text := fmt.Sprintf("on %s, the objects of %s are still there, %s. To remove them now:\n  kubectl --namespace %s delete %s\n%s"+
		"Otherwise an apply of the same version takes them up again, and the next promotion of the application, or the end of its main deployment, removes them.",
		where, id, pods, id.Namespace, ByHand(id.Name, t.spec.Preview != nil), last)
	told := false
	for _, start := range startErrors(err) {
		start.Left, told = text, true
	}
	if told {
		return nil
	}
	return []Notice{{Summary: "A failed deployment left its objects", Detail: strings.ToUpper(text[:1]) + text[1:]}}
}

// ByHand is what kubectl deletes of a release that nobody removes any more. A route is
// named only where it has a preview: kubectl deletes nothing where a kind is not known.
func ByHand(name string, previewed bool) string {
	kinds := kindsByHand
	if previewed {
		kinds += ",httproute"
	}
	return kinds + " --selector " + release.LabelDeployment + "=" + name
}

const kindsByHand = "deployment,service,configmap,hpa,pdb"

// previewsByHand follows a line of what kubectl deletes where nobody knows of previews.
const previewsByHand = "\nAdd httproute to these kinds where there is a `preview`, whose route stays otherwise."

// leftByHand is the line for what is left of an application.
func leftByHand(namespace, selector string) string {
	return fmt.Sprintf("  kubectl --namespace %s delete %s,lease --selector %s%s", namespace, kindsByHand, selector, previewsByHand)
}

// startErrors are all of them in err.
func startErrors(err error) []*StartError {
	switch e := err.(type) { //nolint:errorlint // every one of them
	case nil:
		return nil
	case *StartError:
		return []*StartError{e}
	case interface{ Unwrap() []error }:
		var all []*StartError
		for _, one := range e.Unwrap() {
			all = append(all, startErrors(one)...)
		}
		return all
	case interface{ Unwrap() error }:
		return startErrors(e.Unwrap())
	}
	return nil
}
