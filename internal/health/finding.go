package health

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
)

// Class is how sure a finding is, and so what a caller does about it.
type Class string

// Classes, surest first.
const (
	// Certain: waiting does not help. It is fatal once it has lasted for a grace
	// period, which the caller measures: registries and admission have moments.
	Certain Class = "certain"
	// Repeated: it happened so often that it will go on. Fatal at once.
	Repeated Class = "repeated"
	// Patient: it may heal by itself. Wait to the deadline, but say so.
	Patient Class = "patient"
	// Warning: it does not keep the release from being healthy, but from something
	// else that was asked for. Never fatal.
	Warning Class = "warning"
)

// Classes lists every Class, surest first.
func Classes() []Class { return []Class{Certain, Repeated, Patient, Warning} }

// Finding is one cause, with everything a person needs to act on it. Its texts
// are redacted.
type Finding struct {
	Cause     Cause
	Class     Class
	Object    string // "pod api-7f3c9a1e-6c9f8-x2x8d": the first of those it concerns
	Container string
	Sentence  string  // what is wrong
	Evidence  string  // what the cluster says about it, verbatim
	Hint      string  // what to do
	Affected  int     // how many pods, of
	Of        int     // how many; both zero where it is not about pods
	LogsOf    *PodRef // whose log shows more; nil: none does
	Log       string  // the end of that log; empty where it was not read

	// Patience is how long a certain one must last, where that is longer than the grace
	// of its release; usually 0.
	Patience time.Duration `json:",omitempty"`
}

// aPod begins the Object of a finding about a pod.
const aPod = "pod "

// PodRef is whose log shows more.
type PodRef struct {
	Pod       string
	Container string
	Previous  bool // of the container that ran before the present one
}

// merge makes one finding of the same cause in many pods, and sorts: sure ones
// first, and causes before their echoes.
func merge(found []Finding, pods int) []Finding {
	type key struct {
		cause     Cause
		container string
		object    string // where it is not a pod: others are not alike
	}
	var merged []Finding
	at := map[key]int{}
	for _, f := range found {
		f = plainer(f, found)
		k, ofPod := key{f.Cause, f.Container, ""}, strings.HasPrefix(f.Object, aPod)
		if !ofPod {
			k.object = f.Object
		}
		i, known := at[k]
		if !known {
			at[k] = len(merged)
			if ofPod {
				f.Affected, f.Of = 1, max(pods, 1)
			}
			merged = append(merged, f)
			continue
		}
		first := &merged[i]
		if !ofPod {
			continue // it has been said
		}
		affected := first.Affected + 1
		if rank(f.Class) < rank(first.Class) || rank(f.Class) == rank(first.Class) && first.Evidence == "" && f.Evidence != "" { // the pod that shows it most clearly speaks for the others
			of := first.Of
			*first = f
			first.Of = of
		}
		first.Affected, first.Of = affected, max(affected, first.Of) // some may be pods that are going
	}
	slices.SortStableFunc(merged, surer)
	for i := range merged {
		for _, text := range []*string{&merged[i].Object, &merged[i].Container, &merged[i].Sentence, &merged[i].Hint} {
			*text = mask.Within(mask.Redact(*text))
		}
		merged[i].Evidence = shorten(mask.Redact(merged[i].Evidence), mostEvidence)
	}
	return merged
}

// plainer is a finding with the cause that another pod tells more of: of a pull
// that waits, old kubelets do not say in each pod why it has failed.
func plainer(f Finding, found []Finding) Finding {
	if f.Cause != CauseImagePull || f.Evidence != "" {
		return f
	}
	for _, other := range found {
		if other.Container == f.Container && other.Cause != f.Cause && explanation(other.Cause).About == aboutImages {
			f.Cause, f.Class = other.Cause, other.Class
			break
		}
	}
	return f
}

// Alike says that two verdicts tell a person the same, of other pods.
func (v Verdict) Alike(other Verdict) bool {
	return len(v.Findings) > 0 && slices.EqualFunc(v.Findings, other.Findings, func(a, b Finding) bool {
		return a.Cause == b.Cause && a.Container == b.Container && a.Hint == b.Hint && withoutCounts(a.Sentence) == withoutCounts(b.Sentence)
	})
}

var counts = regexp.MustCompile(`\b(?:once|\d+ times|(?:\d+h)?(?:\d+m)?\d+s)\b`)

func withoutCounts(sentence string) string { return counts.ReplaceAllString(sentence, "") }

// surer orders findings: sure ones first, and causes before their echoes.
func surer(a, b Finding) int {
	order := Causes()
	return cmp.Or(rank(a.Class)-rank(b.Class), slices.Index(order, a.Cause)-slices.Index(order, b.Cause))
}

func rank(c Class) int { return slices.Index(Classes(), c) }
