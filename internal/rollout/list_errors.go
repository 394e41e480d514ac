package rollout

import (
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// unlisted is since when pods could not be listed that a wait is about; the zero
// value is a list that has come.
type unlisted struct{ since time.Time }

// listAgain is how soon a list is asked for again that did not come.
const listAgain = time.Second

// judge says what an error of such a list means. Only who may not list pods
// cannot know of any: then there are none for the wait. Every other error is
// none of no pods: it may pass, and is what ends the wait where it does not.
func (u *unlisted) judge(e *Engine, err error) (again time.Duration, fatal error) {
	if err == nil || apierrors.IsForbidden(err) {
		u.since = time.Time{}
		return 0, nil
	}
	if u.since.IsZero() {
		u.since = time.Now()
	}
	if time.Since(u.since) >= e.timing.Settle {
		return 0, err
	}
	return listAgain, nil
}
