package rollout

import (
	"errors"
	"fmt"
	"strings"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// cleanUp does what follows a failure, on every cluster at once, and tells what it
// could not do.
func cleanUp(claims []*claim, do func(*claim) error) []Notice {
	errs := make([]error, len(claims))
	_, _ = onAll(indices(len(claims)), func(i int) (struct{}, error) {
		errs[i] = do(claims[i])
		return struct{}{}, nil
	})
	var notices []Notice
	for i, cl := range claims {
		if n := cl.undone(errs[i]); n != nil {
			notices = append(notices, *n)
		}
	}
	return notices
}

// undone tells what a clean-up could not do; nil where there is nothing to tell:
// what somebody else has taken over is theirs to put in order, and of a way back
// the outcome tells.
func (cl *claim) undone(err error) *Notice {
	var stale *release.StaleOwnerError
	var another *release.TakenOverError
	if err == nil || errors.As(err, &stale) || errors.As(err, &another) || cl.goesBack() && cl.roll.err != nil {
		return nil
	}
	id := cl.target.id
	return &Notice{
		Summary: "Clean-up did not come to its end",
		Detail: fmt.Sprintf("What had begun of %s on cluster %q could not all be put in order, so that its pods may go on running: %v. "+
			"The next apply of it goes on from there. To see what is there:\n  kubectl --namespace %s get deployment,pod --selector %s=%s",
			id, cl.cluster.Name(), err, id.Namespace, release.LabelDeployment, id.Name),
	}
}

// tellLeft says of a failed create what it has left in the clusters, and when that
// goes: in the errors that tell of its pods, or where there is none, in a notice.
func tellLeft(err error, claims []*claim) []Notice {
	var on []string
	pods := ""
	var id release.ID
	for _, cl := range claims {
		if cl.left != "" {
			on, pods, id = append(on, fmt.Sprintf("%q", cl.cluster.Name())), cl.left, cl.target.id
		}
	}
	if len(on) == 0 {
		return nil
	}
	where := "cluster " + on[0]
	if len(on) > 1 {
		where = "clusters " + strings.Join(on, ", ")
	}
	text := fmt.Sprintf("on %s, the objects of %s are still there, %s. To remove them now:\n  kubectl --namespace %s delete %s\n"+
		"Otherwise an apply of the same version takes them up again, and the next promotion of the application, or the end of its main deployment, removes them.",
		where, id, pods, id.Namespace, ByHand(id.Name))
	told := false
	for _, start := range startErrors(err) {
		start.Left, told = text, true
	}
	if told {
		return nil
	}
	return []Notice{{Summary: "A failed deployment left its objects", Detail: strings.ToUpper(text[:1]) + text[1:]}}
}

// ByHand is what kubectl deletes of a release that nobody removes any more.
func ByHand(name string) string {
	return "deployment,service,configmap,hpa,pdb --selector " + release.LabelDeployment + "=" + name
}

// asError is what clean-ups could not do, for who has no notices.
func asError(undone []Notice) error {
	var errs []error
	for _, n := range undone {
		errs = append(errs, errors.New(n.Detail))
	}
	return errors.Join(errs...)
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
