package release

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Foreign returns a *ForeignError unless obj carries our labels for the
// application.
func Foreign(cluster, kind string, obj metav1.Object, application string) error {
	labels := obj.GetLabels()
	if labels[LabelManagedBy] == ManagedBy && labels[LabelApplication] == application {
		return nil
	}
	foreign := &ForeignError{
		Cluster: cluster, Kind: kind, Namespace: obj.GetNamespace(), Name: obj.GetName(),
		Manager: managerOf(obj),
	}
	if labels[LabelManagedBy] == ManagedBy {
		foreign.Application = labels[LabelApplication]
	}
	return foreign
}

// IsForeign says that an error is a *ForeignError.
func IsForeign(err error) bool {
	var foreign *ForeignError
	return errors.As(err, &foreign)
}

// managerOf is who manages an object, by its own word, else by who wrote it.
func managerOf(obj metav1.Object) string {
	if by := obj.GetLabels()[LabelManagedBy]; by != "" && by != ManagedBy {
		return by
	}
	var writers []string
	for _, f := range obj.GetManagedFields() {
		if f.Subresource == "" && !slices.Contains(writers, f.Manager) {
			writers = append(writers, f.Manager)
		}
	}
	return strings.Join(writers, ", ")
}

// FieldConflict is one field that another manager holds with another value.
type FieldConflict struct {
	Field   string // as the API server writes it, e.g. .spec.replicas
	Manager string
}

// FieldConflicts are the reasons why a server-side apply was refused; nil for
// any other error.
func FieldConflicts(err error) []FieldConflict {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return nil
	}
	var conflicts []FieldConflict
	for _, c := range status.Status().Details.Causes {
		if c.Type == metav1.CauseTypeFieldManagerConflict {
			conflicts = append(conflicts, FieldConflict{Field: c.Field, Manager: managerIn(c.Message)})
		}
	}
	return conflicts
}

// managerIn is the manager's name, which stands only in a message: conflict with "NAME" ….
func managerIn(message string) string {
	if i := strings.IndexByte(message, '"'); i >= 0 {
		if quoted, err := strconv.QuotedPrefix(message[i:]); err == nil {
			name, _ := strconv.Unquote(quoted)
			return name
		}
	}
	return message
}

// ReadAgain says that an object changed between our look and our write, so that
// looking and deciding again may succeed. A conflict over a field's manager
// does not heal that way.
func ReadAgain(err error) bool {
	return apierrors.IsConflict(err) && FieldConflicts(err) == nil
}
