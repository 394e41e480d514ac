package health

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// refusals tell who refused a pod. Only the text says that: the API has one
// reason, FailedCreate, for all of them. The texts are those of
// k8s.io/kubernetes/plugin/pkg/admission and k8s.io/apiserver/pkg/admission;
// what fits none is a refusal for another reason.
//
// Those of webhooks come first and are anchored: what else a webhook says is its
// own business, and may read like one of the others.
var refusals = []struct {
	says     *regexp.Regexp
	cause    Cause
	class    Class  // Patient where the API server itself is in trouble, which passes
	sentence string // with what the pattern caught
	hint     string // the same; empty: the cause's
}{
	{
		regexp.MustCompile(`^(?:Internal error occurred: )?failed calling webhook "([^"]+)"`), CauseAdmissionUnavailable, Patient,
		`the admission webhook $1, which must be asked for every pod, does not answer`, "",
	},
	{
		regexp.MustCompile(`^admission webhook "([^"]+)" denied the request`), CauseAdmissionDenied, Certain,
		`the admission webhook $1 refuses the pods`, "",
	},
	{
		regexp.MustCompile(`^Internal error occurred: `), CausePodsRefused, Patient,
		`the API server fails to create pods`, "see what else it cannot do: the cluster's administrator can read its log",
	},
	{
		regexp.MustCompile(`ValidatingAdmissionPolicy '([^']+)'.* denied request`), CauseAdmissionDenied, Certain,
		`the ValidatingAdmissionPolicy $1 refuses the pods`, "",
	},
	{
		regexp.MustCompile(`error looking up service account ([^/\s]+)/(\S+): serviceaccount "[^"]+" not found`), CauseNoServiceAccount, Certain,
		`the pods shall run as the ServiceAccount "$2", which is not in namespace "$1"`, `create the ServiceAccount "$2", or correct service_account_name`,
	},
	{
		regexp.MustCompile(`exceeded quota: (\S+), requested: (\S+), used: (\S+), limited: (\S+)`), CauseQuota, Certain,
		`the namespace's ResourceQuota "$1" has no room for the pods: one needs $2, and $3 of $4 are in use`, "",
	},
	{
		regexp.MustCompile(`failed quota: (\S+): must specify (.+)`), CauseQuota, Certain,
		`the namespace's ResourceQuota "$1" counts what the containers do not set: $2`, "set that in resources of every container, or have a LimitRange with defaults made",
	},
	{
		regexp.MustCompile(`insufficient quota to (?:consume|match these scopes): (.+)`), CauseQuota, Certain,
		`no ResourceQuota of the namespace allows what the pods ask for: $1`, "have a ResourceQuota for it made, or do not ask for it",
	},
	{
		// One that was made a moment ago and is not counted yet.
		regexp.MustCompile(`status unknown for quota: ([^\s,]+)`), CauseQuota, Patient,
		`the namespace's ResourceQuota "$1" has not been counted yet`, "see whether the controller manager runs if this goes on",
	},
	{
		regexp.MustCompile(`((?:maximum|minimum) \S+ usage per \S+ is (?:[^,\s]+, but \w+ is [^,\]\s]+|\S+\.  No \w+ is specified))`), CauseLimitRange, Certain,
		`a LimitRange of the namespace forbids what the pods ask for: $1`, "",
	},
	{
		regexp.MustCompile(`(\w+ max limit to request ratio per \S+ is [^,\s]+, but [^,\]]+)`), CauseLimitRange, Certain,
		`a LimitRange of the namespace forbids what the pods ask for: $1`, "set requests and limits in resources closer together",
	},
	{
		// Our template was valid: a default limit came between.
		regexp.MustCompile(`Invalid value: "([^"]+)": must be less than or equal to (\S+) limit of (\S+)`), CauseLimitRange, Certain,
		`a container asks for $1 of $2, and a default limit of the namespace, $3, is lower`, "set resources.limits.$2, too, or lower resources.requests.$2",
	},
	{
		regexp.MustCompile(`violates PodSecurity "([^":]+)[^"]*": `), CausePodSecurity, Certain,
		`the namespace allows only pods of the Pod Security level $1`, "",
	},
	{
		regexp.MustCompile(`no PriorityClass with name (\S+) was found`), CausePodsRefused, Certain,
		`the pods have the PriorityClass "$1", which does not exist`, `create the PriorityClass "$1", or correct priorityClassName in pod_template_patch`,
	},
	{
		regexp.MustCompile(`RuntimeClass "([^"]+)" not found`), CausePodsRefused, Certain,
		`the pods have the RuntimeClass "$1", which does not exist`, `create the RuntimeClass "$1", or correct runtimeClassName in pod_template_patch`,
	},
}

// refusalFinding says who refuses the pods, and why.
func refusalFinding(in Input, message string, class Class) Finding {
	text := strings.TrimPrefix(strings.TrimSpace(message), "Error creating: ") // as events begin
	f := Finding{
		Cause: CausePodsRefused, Class: Certain, Object: "workload " + in.Workload.Name,
		Sentence: "the cluster refuses to create pods", Evidence: text, Hint: try(CausePodsRefused),
	}
	for _, r := range refusals {
		if at := r.says.FindStringSubmatchIndex(text); at != nil {
			f.Cause, f.Class = r.cause, r.class
			f.Sentence = string(r.says.ExpandString(nil, r.sentence, text, at))
			f.Hint = cmp.Or(string(r.says.ExpandString(nil, r.hint, text, at)), try(r.cause))
			break
		}
	}
	if rank(class) > rank(f.Class) || f.Cause == CauseNoServiceAccount && hasAccount(in) {
		f.Class = Patient // it may be over: the next attempt will tell
	}
	if made := in.Workload.Status.UpdatedReplicas; made > 0 && made < in.WantReplicas {
		f.Sentence += fmt.Sprintf(" (there are %d of %d)", made, in.WantReplicas)
	}
	if lines := rules(in.Around, f.Cause, text); len(lines) > 0 {
		f.Evidence += "\n" + strings.Join(lines, "\n")
	}
	quoted := release.VariablesOf(&in.Workload.Spec.Template.Spec) // policies quote what they refuse
	f.Sentence, f.Evidence = mask.Values(f.Sentence, quoted...), mask.Values(f.Evidence, quoted...)
	return f
}

// refused is what is said of pods that could not be made, and how much that is
// worth; empty where nothing is. What the conditions say is so now. An event may
// be about what has passed.
func refused(in Input) (message string, class Class) {
	for _, c := range in.Workload.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue && c.Reason != "FailedDelete" {
			return c.Message, Certain
		}
	}
	set := newestReplicaSet(in.ReplicaSets, in.Workload.UID)
	if set == nil || set.Status.Replicas >= in.WantReplicas {
		return "", ""
	}
	for _, c := range set.Status.Conditions {
		if c.Type == appsv1.ReplicaSetReplicaFailure && c.Status == corev1.ConditionTrue && c.Reason != "FailedDelete" {
			return c.Message, Certain
		}
	}
	if e := lastEvent(in.Events, set, "ReplicaSet", "FailedCreate"); e != nil && set.Status.Replicas == 0 {
		return e.Message, Patient
	}
	return "", ""
}

// rules are those of the namespace that a refusal is about, as they are now.
func rules(around Around, cause Cause, text string) []string {
	var lines []string
	switch cause { //nolint:exhaustive // the others have no rules that were looked at
	case CauseQuota:
		for _, q := range around.Quotas {
			if !strings.Contains(text, "quota: "+q.Name) {
				continue
			}
			var uses []string
			for name, hard := range q.Status.Hard {
				used := q.Status.Used[name]
				uses = append(uses, fmt.Sprintf("%s %s of %s", name, used.String(), hard.String()))
			}
			slices.Sort(uses)
			lines = append(lines, fmt.Sprintf("ResourceQuota %q now: %s", q.Name, strings.Join(uses, ", ")))
		}
	case CauseLimitRange:
		for _, r := range around.LimitRanges {
			for _, item := range r.Spec.Limits {
				for _, b := range []struct {
					name string
					list corev1.ResourceList
				}{{"min", item.Min}, {"max", item.Max}, {"default limit", item.Default}, {"max limit to request ratio", item.MaxLimitRequestRatio}} {
					if len(b.list) > 0 {
						lines = append(lines, fmt.Sprintf("LimitRange %q: %s %s %s", r.Name, item.Type, b.name, amounts(b.list)))
					}
				}
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// hasAccount says that the pods' ServiceAccount is there by now.
func hasAccount(in Input) bool {
	return slices.ContainsFunc(in.Around.ServiceAccounts, func(a *corev1.ServiceAccount) bool {
		return a.Name == cmp.Or(in.Workload.Spec.Template.Spec.ServiceAccountName, "default")
	})
}

// amounts are resources in a fixed order.
func amounts(list corev1.ResourceList) string {
	var all []string
	for name, quantity := range list {
		all = append(all, fmt.Sprintf("%s %s", name, quantity.String()))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
