package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// Contact makes the first contact with the clusters on which something is
// planned to be created, so that a connection that cannot work fails at plan, and
// not in the middle of an apply. It is the one request that every use of a
// cluster begins with, and is shared by all resources of a run. A refresh has
// made it for what is there already.
//
// A cluster that cannot be reached, or that is not known yet, may be there at
// apply: a plan goes on without it.
func (s *Session) Contact(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if s == nil || !Creates(req, resp) {
		return
	}
	var (
		names types.Set
		in    types.String
		over  types.Object
		quiet diag.Diagnostics // whatever is wrong here is told elsewhere
	)
	quiet.Append(resp.Plan.GetAttribute(ctx, path.Root("clusters"), &names)...)
	quiet.Append(resp.Plan.GetAttribute(ctx, path.Root("namespace"), &in)...)
	quiet.Append(resp.Plan.GetAttribute(ctx, path.Root("rollout"), &over)...)
	if !quiet.HasError() && attrs.WhollyKnown(ctx, names) {
		resp.Diagnostics.Append(s.ContactAll(ctx, attrs.Decode[[]string](ctx, &quiet, names), in.ValueString(), attrs.MayContinue(ctx, over))...)
	}
}

// How long a plan waits for what it only wants to tell, and for an API server's answer
// to a dry run: webhooks and policies are asked, too.
const (
	lookPatience = 2 * time.Second
	askPatience  = 5 * time.Second
)

// Looking is for what a plan only wants to tell.
func (s *Session) Looking(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.Engine.PatienceFor(lookPatience))
}

// Creates says that a plan makes something that is not there.
func Creates(req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) bool {
	return !resp.Diagnostics.HasError() && !req.Plan.Raw.IsNull() && (req.State.Raw.IsNull() || len(resp.RequiresReplace) > 0)
}

// ContactAll tells what cannot work in a namespace, as an error unless the others may go
// on. An empty namespace is not known yet.
func (s *Session) ContactAll(ctx context.Context, names []string, namespace string, mayGoOn bool) (diags diag.Diagnostics) {
	clusters := s.Reachable(names)
	for i, err := range s.unusable(ctx, clusters, namespace) {
		switch {
		case err == nil:
		case mayGoOn:
			summary, detail, _ := explain.Of(err)
			diags.AddWarning(fmt.Sprintf("%s (cluster %q)", summary, clusters[i].Name()),
				detail+"\n\nAn apply goes on without that cluster where rollout.on_failure = \"continue\" lets it.")
		default:
			explain.Error(&diags, err)
		}
	}
	return diags
}

// unusable says of each cluster why a connection to it cannot work; nil where it
// does, and where that cannot be told now.
func (s *Session) unusable(ctx context.Context, clusters []rollout.Cluster, namespace string) []error {
	errs := make([]error, len(clusters))
	var wg sync.WaitGroup
	for i, c := range clusters {
		wg.Go(func() {
			connection := s.Clusters.Connection(c.Name())
			err := connection.Check(ctx)
			if err == nil && namespace != "" {
				err = connection.Admits(ctx, namespace)
			}
			if lasting(err) {
				errs[i] = err
			}
		})
	}
	wg.Wait()
	return errs
}

// lasting says that an apply would meet the same.
func lasting(err error) bool {
	var (
		credential *cluster.CredentialError
		none       *cluster.NoCredentialError
		untrusted  *cluster.TLSError
		unusable   *cluster.UnusableError
		wrong      *cluster.WrongClusterError
		old        *cluster.TooOldError
	)
	return errors.As(err, &credential) || errors.As(err, &none) || errors.As(err, &untrusted) || errors.As(err, &unusable) || errors.As(err, &wrong) || errors.As(err, &old)
}
