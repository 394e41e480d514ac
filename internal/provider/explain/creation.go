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
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// creationError is why a create has failed. Nothing is in the state after it: there
// is nothing to forget, and no drift to show.
type creationError struct {
	error
	deployment string // that the address was to lead to; empty: it was none
}

func (e *creationError) Unwrap() error { return e.error }

// CreationError is Error for a create; deployment is what an address was to
// lead to.
func CreationError(diags *diag.Diagnostics, err error, deployment string) {
	addErrors(diags, Place{}, err, func(one error) error { return &creationError{one, deployment} })
}

// GroupCreationError is GroupError for a create.
func GroupCreationError(diags *diag.Diagnostics, err error, asked group.Request) {
	addErrorsOfGroup(diags, err, func(name string, one error) error {
		return &creationError{one, asked.Members[name].To}
	})
}

// creation makes a row for one type of error that only a create meets.
func creation[E error](summary string, next func(e E, deployment string) string, at path.Path) explanation {
	return func(err error) (string, string, path.Path, bool) {
		var (
			c *creationError
			e E
		)
		if !errors.As(err, &c) || !errors.As(c.error, &e) {
			return "", "", path.Empty(), false
		}
		next := next(e, c.deployment)
		return summary, next, at, next != ""
	}
}

// creations go before all other rows.
var creations = []explanation{
	creation("Fields belong to another field manager", createdOver, path.Empty()),
	creation("Claimed by somebody else meanwhile", func(*release.StaleOwnerError, string) string {
		return takenFromACreate
	}, path.Empty()),
	creation("Deployment was taken over", func(e *release.TakenOverError, _ string) string {
		if e.Gone || !e.Claimed {
			return ""
		}
		return "This run has stopped, and touches nothing of it any more: what it had begun is the other one's. " + takenFromACreate
	}, path.Empty()),
}

const takenFromACreate = "Nothing of it is in this state. If this configuration is to hold it, take it out of the other one, and apply again: a create takes up what is there, " +
	"and the other one can neither change nor remove it then. If the other one is to hold it, take it out of this configuration."

// createdOver is what helps where a create has met fields of another manager, which no
// plan can show: an import needs the pointer, and a Service that Switchback made cannot
// be adopted. A field that says already what is asked for is no conflict.
func createdOver(e *cluster.ApplyConflictError, deployment string) string {
	const noDrift = "Nothing was overwritten. It is not in the state, so that no plan can show this as drift. "
	namespace, service, is := strings.Cut(strings.TrimPrefix(e.Object, "Service "), "/")
	others := slices.ContainsFunc(e.Conflicts, func(c release.FieldConflict) bool { return c.Field != ".spec.selector" })
	if deployment == "" || !is || !strings.HasPrefix(e.Object, "Service ") || others {
		return noDrift + "Set these fields by hand to what this configuration asks for, and apply again: what says the same already is no conflict."
	}
	var pairs []string
	selector := release.Selector(deployment)
	for _, key := range slices.Sorted(maps.Keys(selector)) {
		pairs = append(pairs, fmt.Sprintf("%q:%q", key, selector[key]))
	}
	return fmt.Sprintf("%sLet the Service lead by hand to the deployment that this configuration asks for, which is ready, and apply again: what says the same already is no conflict.\n"+
		"  kubectl --namespace %s patch service %s --type json --patch '[{\"op\":\"replace\",\"path\":\"/spec/selector\",\"value\":{%s}}]'", noDrift, namespace, service, strings.Join(pairs, ","))
}
