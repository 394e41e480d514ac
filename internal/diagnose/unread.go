package diagnose

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
)

// logsResource is what a Role calls the logs of pods.
const logsResource = "pods/log"

// explaining is what a failure is explained with, and what may be done with it
// where that is allowed, in the order in which it is told that it is not. What is
// not here belongs to something else that is asked for, and is not missed.
var explaining = []struct {
	resource, group string
	how, verbs      string
}{
	{"pods", "", "listed", "get, list, watch"},
	{"replicasets", "apps", "listed", "get, list, watch"},
	{"events", "", "listed", "get, list, watch"},
	{logsResource, "", "read", "get"},
	{"resourcequotas", "", "listed", "get, list"},
	{"limitranges", "", "listed", "get, list"},
	{"persistentvolumeclaims", "", "listed", "get, list"},
	{"serviceaccounts", "", "listed", "get, list"},
}

// WriteUnread adds what would have explained more.
func WriteUnread(b *strings.Builder, namespace string, unread []Unread) {
	var forbidden, failed, rules []string
	for _, e := range explaining {
		i := slices.IndexFunc(unread, func(u Unread) bool { return u.Resource == e.resource })
		if i < 0 {
			continue
		}
		if err := unread[i].Err; !apierrors.IsForbidden(err) {
			failed = append(failed, fmt.Sprintf("%s could not be %s (%s)", e.resource, e.how, shortly(err)))
			continue
		}
		forbidden = append(forbidden, fmt.Sprintf("%s may not be %s", e.resource, e.how))
		rules = append(rules, fmt.Sprintf("\n  - {apiGroups: [%q], resources: [%s], verbs: [%s]}", e.group, e.resource, e.verbs))
	}
	if len(forbidden) > 0 {
		fmt.Fprintf(b, "\n\nIn namespace %q, %s: less can be said. This would allow it, in a Role:%s", namespace, strings.Join(forbidden, ", "), strings.Join(rules, ""))
	}
	if len(failed) > 0 {
		fmt.Fprintf(b, "\n\nIn namespace %q, %s: less can be said.", namespace, strings.Join(failed, ", "))
	}
}

// shortly is an error in one line.
func shortly(err error) string {
	const most = 200
	var answer apierrors.APIStatus
	text := err.Error()
	if errors.As(err, &answer) && answer.Status().Message != "" {
		text = answer.Status().Message
	}
	text = strings.Join(strings.Fields(mask.Redact(text)), " ")
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most-1]) + "…"
	}
	return text
}
