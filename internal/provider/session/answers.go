package session

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// Asking is what a plan asks the API servers, with a dry run, about one resource.
type Asking struct {
	What    string // the resource as a person calls it: "deployment"
	Objects []rollout.Object
	Creates bool // they are not there yet
	MayGoOn bool // the apply goes on with the clusters that do not refuse it

	// At is the attribute that a field of an object comes from. An empty field is
	// the object as a whole.
	At func(obj rollout.Object, field string) path.Path
	// Mended says that the apply puts right what is said of a field, which no dry run
	// can; nil: of none.
	Mended func(field string) bool
}

// Asks says that the API servers are to be asked.
func (s *Session) Asks() bool { return s.DryRuns.Asks == nil || *s.DryRuns.Asks }

// Ask sends objects to the API servers, as a dry run. What they refuse is an error of
// the plan, on the attribute that it comes from; what they warn of is a warning. Where
// they cannot be asked, or the answer may be another one when the apply comes, nothing
// is said.
func (s *Session) Ask(ctx context.Context, clusters []rollout.Cluster, asking Asking, diags *diag.Diagnostics) {
	a := answers{Asking: asking, insists: s.DryRuns.Asks != nil}
	for _, reply := range s.DryRun(ctx, clusters, asking.Objects, asking.Creates) {
		a.add(reply)
		for _, text := range reply.Warnings {
			if s.Told.First(reply.Cluster + ": " + text) {
				diags.AddWarning("The API server warns",
					fmt.Sprintf("Cluster %q says of %s: %s", reply.Cluster, nameOf(reply.Object), stopped(text)))
			}
		}
	}
	a.tell(diags)
}

// answers are what is to be told of the replies, each once, whichever clusters and
// objects it is said of.
type answers struct {
	Asking
	insists bool // server_dry_run = true
	all     []*answer
}

type answer struct {
	refusal  Refusal
	at       path.Path
	what     string // the object
	text     string
	clusters []string
}

func (a *answers) add(reply Reply) {
	refusal := reply.Refusal()
	if refusal == "" {
		return
	}
	fields, text := reply.Says()
	if refusal == Refused && len(fields) > 0 {
		for _, f := range fields {
			if a.Mended != nil && a.Mended(f.Field) {
				continue
			}
			a.note(answer{refusal, a.At(reply.Object, f.Field), nameOf(reply.Object), f.Field + ": " + f.Message, []string{reply.Cluster}})
		}
		return
	}
	at := a.At(reply.Object, "")
	if refusal == Refused && strings.Contains(text, "violates PodSecurity") {
		at, text = path.Root("pod_security"), text+fmt.Sprintf(".\n\nTry: set pod_security = %q, or security_context of the container", release.PodSecurityRestricted)
	}
	a.note(answer{refusal, at, nameOf(reply.Object), text, []string{reply.Cluster}})
}

// note adds an answer to one that says the same: a Deployment's pods are told of as
// those of a Pod, too.
func (a *answers) note(n answer) {
	for _, other := range a.all {
		if other.refusal == n.refusal && other.at.Equal(n.at) && strings.TrimPrefix(other.text, "spec.template.") == strings.TrimPrefix(n.text, "spec.template.") {
			if !slices.Contains(other.clusters, n.clusters[0]) {
				other.clusters = append(other.clusters, n.clusters[0])
			}
			return
		}
	}
	a.all = append(a.all, &n)
}

func (a *answers) tell(diags *diag.Diagnostics) {
	for _, n := range a.all {
		on := "cluster " + attrs.Quoted(n.clusters)
		says := fmt.Sprintf("On %s, the API server would not take %s: %s", on, n.what, stopped(n.text))
		switch n.refusal {
		case Refused:
			if a.MayGoOn {
				diags.AddWarning("The API server refuses this", says+"\n\nAn apply goes on without that cluster where rollout.on_failure = \"continue\" lets it.")
				continue
			}
			says += "\n\nIt was asked with a dry run: nothing was written. Where the apply itself changes what the answer depends on, such as a policy, set `server_dry_run = false` in the provider block."
			if n.at.Equal(path.Empty()) {
				diags.AddError("The API server refuses this "+a.What, says)
			} else {
				diags.AddAttributeError(n.at, "The API server refuses this", says)
			}
		case NoRoom:
			diags.AddWarning("No room in the namespace", says+"\n\nWhere there is none when the apply comes, it fails: free some of the quota, or raise it. Two versions side by side need room for both.")
		case NotAsked:
			if a.insists {
				diags.AddWarning("The API server was not asked", fmt.Sprintf("On %s, what it would say to %s is not known: %s", on, n.what, stopped(n.text)))
			}
		}
	}
}

// stopped ends an API server's words, which begin with a field or a kind, with a full stop.
func stopped(text string) string { return strings.TrimRight(text, ". ") + "." }

// nameOf is an object as a person calls it; a pod has no name yet.
func nameOf(obj rollout.Object) string {
	kind := obj.GetObjectKind().GroupVersionKind().Kind
	if obj.GetName() == "" {
		return "a " + kind + " of " + obj.GetNamespace() + "/" + strings.TrimSuffix(obj.GetGenerateName(), "-")
	}
	return "the " + kind + " " + obj.GetNamespace() + "/" + obj.GetName()
}
