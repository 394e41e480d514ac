package deployment

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/session"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// askServer sends what a plan creates or changes in place to the API servers, as a dry
// run. What they refuse is an error of the plan, on the attribute that it comes from;
// what they warn of is a warning. Where they cannot be asked, or the answer may be
// another one when the apply comes, nothing is said.
func (r *deploymentResource) askServer(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if r.Session == nil || resp.Diagnostics.HasError() || req.Plan.Raw.IsNull() || resp.Plan.Raw.Equal(req.State.Raw) {
		return
	}
	if asks := r.DryRuns.Asks; asks != nil && !*asks {
		return
	}
	var plan model
	var quiet diag.Diagnostics // whatever is wrong here is told elsewhere
	quiet.Append(resp.Plan.Get(ctx, &plan)...)
	if quiet.HasError() || len(plan.unknownInputs(ctx)) > 0 || !attrs.WhollyKnown(ctx, plan.Clusters) || desiredOf(&plan) == release.DesiredStopped {
		return
	}
	spec, objects := planned(ctx, &plan)
	creates := session.Creates(req, resp)
	if !creates {
		var state model
		quiet.Append(req.State.Get(ctx, &state)...)
		objects = changed(ctx, &state, objects)
	}
	names := attrs.Decode[[]string](ctx, &quiet, plan.Clusters)
	clusters := r.Reachable(names)
	if quiet.HasError() || len(objects) == 0 {
		return
	}
	a := answers{ctx: ctx, resp: resp, spec: spec, insists: r.DryRuns.Asks != nil, mayGoOn: attrs.MayContinue(ctx, plan.Rollout)}
	for _, reply := range r.DryRun(ctx, r.without(ctx, clusters, spec, creates), objects, creates) {
		a.add(reply)
		for _, text := range reply.Warnings {
			if r.Told.First(reply.Cluster + ": " + text) {
				resp.Diagnostics.AddWarning("The API server warns",
					fmt.Sprintf("Cluster %q says of %s: %s", reply.Cluster, nameOf(reply.Object), stopped(text)))
			}
		}
	}
	a.tell()
}

// planned are the spec of a plan and its objects; none where it cannot be rendered.
func planned(ctx context.Context, m *model) (release.Spec, []rollout.Object) {
	spec, diags := m.spec(ctx)
	if diags.HasError() {
		return spec, nil
	}
	objects, err := workload.Planned(spec)
	if err != nil {
		return spec, nil
	}
	return spec, objects
}

// changed are those of some objects that a state does not have like that.
func changed(ctx context.Context, state *model, objects []rollout.Object) []rollout.Object {
	_, before := planned(ctx, state)
	return slices.DeleteFunc(objects, func(obj rollout.Object) bool {
		return slices.ContainsFunc(before, func(other rollout.Object) bool { return reflect.DeepEqual(obj, other) })
	})
}

// without leaves out the clusters on which a release that is to be created runs: it is
// adopted there, and nothing is made.
func (r *deploymentResource) without(ctx context.Context, clusters []rollout.Cluster, spec release.Spec, creates bool) []rollout.Cluster {
	if !creates {
		return clusters
	}
	ctx, cancel := context.WithTimeout(ctx, session.LookPatience)
	defer cancel()
	runs := map[string]bool{}
	for _, on := range observe.Records(ctx, clusters, release.ID{Namespace: spec.Namespace, Name: spec.NameFor(spec.Content.Hash())}) {
		runs[on.Cluster] = on.Record != nil && on.Record.Status == release.StatusStarted
	}
	return slices.DeleteFunc(slices.Clone(clusters), func(c rollout.Cluster) bool { return runs[c.Name()] })
}

// answers are what is to be told of the replies, each once, whichever clusters and
// objects it is said of.
type answers struct {
	ctx     context.Context
	resp    *resource.ModifyPlanResponse
	spec    release.Spec
	insists bool // server_dry_run = true
	mayGoOn bool // the apply goes on with the clusters that do not refuse it
	all     []*answer
}

type answer struct {
	refusal  session.Refusal
	at       path.Path
	what     string // the object
	text     string
	clusters []string
}

func (a *answers) add(reply session.Reply) {
	refusal := reply.Refusal()
	if refusal == "" {
		return
	}
	kind := reply.Object.GetObjectKind().GroupVersionKind().Kind
	fields, text := reply.Says()
	if refusal == session.Refused && len(fields) > 0 {
		for _, f := range fields {
			at := attributePath(a.ctx, a.resp.Plan.Schema, workload.AttributeOf(a.spec, kind, f.Field))
			a.note(answer{refusal, at, nameOf(reply.Object), f.Field + ": " + f.Message, []string{reply.Cluster}})
		}
		return
	}
	at := path.Empty()
	if refusal == session.Refused && strings.Contains(text, "violates PodSecurity") {
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

func (a *answers) tell() {
	diags := &a.resp.Diagnostics
	for _, n := range a.all {
		on := "cluster " + attrs.Quoted(n.clusters)
		says := fmt.Sprintf("On %s, the API server would not take %s: %s", on, n.what, stopped(n.text))
		switch n.refusal {
		case session.Refused:
			if a.mayGoOn {
				diags.AddWarning("The API server refuses this", says+"\n\nAn apply goes on without that cluster where rollout.on_failure = \"continue\" lets it.")
				continue
			}
			says += "\n\nIt was asked with a dry run: nothing was written. Where the apply itself changes what the answer depends on, such as a policy, set `server_dry_run = false` in the provider block."
			if n.at.Equal(path.Empty()) {
				diags.AddError("The API server refuses this deployment", says)
			} else {
				diags.AddAttributeError(n.at, "The API server refuses this", says)
			}
		case session.NoRoom:
			diags.AddWarning("No room in the namespace", says+"\n\nWhere there is none when the apply comes, it fails: free some of the quota, or raise it. Two versions side by side need room for both.")
		case session.NotAsked:
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
