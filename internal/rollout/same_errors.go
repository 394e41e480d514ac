package rollout

import (
	"fmt"
	"strconv"
	"strings"
)

// Alike makes one error of those of several clusters that tell a person the
// same, in the place of the first of them: the same screen for each of ten
// clusters helps nobody.
func Alike(errs []error) []error {
	var all []error
	for _, err := range errs {
		if !joined(all, err) {
			if start, ok := err.(*StartError); ok { //nolint:errorlint // as below
				first := *start // what is told of one cluster elsewhere stays that
				err = &first
			}
			all = append(all, err)
		}
	}
	return all
}

// joined adds an error to one that tells the same, if there is one.
func joined(all []error, err error) bool {
	e, ok := err.(*StartError) //nolint:errorlint // what wraps one tells more
	if !ok {
		return false
	}
	for _, other := range all {
		if first, ok := other.(*StartError); ok && first.tells(e) { //nolint:errorlint // as above
			first.Others = append(first.Others, e)
			return true
		}
	}
	return false
}

// tells says that both errors tell the same but for the cluster and its pods.
func (e *StartError) tells(other *StartError) bool {
	return e.ID == other.ID && e.Version == other.Version && e.RolledBack == other.RolledBack && e.Traffic == other.Traffic &&
		e.Restart == other.Restart && e.Rolling == other.Rolling && e.Baking == other.Baking &&
		fmt.Sprint(e.Err) == fmt.Sprint(other.Err) && e.Verdict.Alike(other.Verdict)
}

// Where names the clusters that it is told of.
func (e *StartError) Where() string {
	if len(e.Others) == 0 {
		return "cluster " + strconv.Quote(e.Cluster)
	}
	names := []string{strconv.Quote(e.Cluster)}
	for _, other := range e.Others {
		names = append(names, strconv.Quote(other.Cluster))
	}
	last := len(names) - 1
	return "clusters " + strings.Join(names[:last], ", ") + " and " + names[last]
}

// available is how many pods are, on each of the clusters where that differs.
func (e *StartError) available() string {
	first, differ := fmt.Sprintf("%d of %d", e.Verdict.Ready, e.Verdict.Want), false
	each := []string{first}
	for _, other := range e.Others {
		n := fmt.Sprintf("%d of %d", other.Verdict.Ready, other.Verdict.Want)
		each, differ = append(each, n), differ || n != first
	}
	if !differ {
		return first
	}
	return strings.Join(each, ", ")
}
