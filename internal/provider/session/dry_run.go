package session

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/explain"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// DryRuns are what API servers said to writes that were not done. Each object is sent
// once in a run to each cluster.
type DryRuns struct {
	Asks *bool // server_dry_run; nil: where it can be asked

	mu      sync.Mutex
	replies map[asked]func() Reply
}

// asked is an object on a cluster, to be created or changed there.
type asked struct {
	cluster string
	object  [sha256.Size]byte
	creates bool
}

// Reply is what one API server says to one object.
type Reply struct {
	Cluster  string
	Object   rollout.Object
	Warnings []string
	Err      error
}

// Refusal is what an error of a dry run says of the write: see package cluster.
type Refusal = cluster.Refusal

// Refusals.
const (
	NotAsked = cluster.NotAsked
	NoRoom   = cluster.NoRoom
	Refused  = cluster.Refused
)

// Says is what the API server says: of each field that it names, or else on the whole.
// It repeats no value of the environment.
func (r Reply) Says() (fields []metav1.StatusCause, text string) {
	var failed *cluster.RequestError
	var status apierrors.APIStatus
	if !errors.As(r.Err, &failed) || !errors.As(r.Err, &status) {
		return nil, explain.Sentence(r.Err.Error())
	}
	if details := status.Status().Details; details != nil {
		for _, cause := range details.Causes {
			if cause.Field != "" {
				cause.Message = failed.Hide(cause.Message)
				fields = append(fields, cause)
			}
		}
	}
	return fields, failed.Hide(status.Status().Message)
}

// Refusal is what the error says.
func (r Reply) Refusal() Refusal { return cluster.RefusalOf(r.Err) }

// DryRun asks every cluster what it says to each object, all at once: to its create, or
// to a change of it. What is there already is nothing to create.
func (s *Session) DryRun(ctx context.Context, clusters []rollout.Cluster, objects []rollout.Object, creates bool) []Reply {
	replies := make([]Reply, len(clusters)*len(objects))
	var wg sync.WaitGroup
	for i, c := range clusters {
		for j, obj := range objects {
			wg.Go(func() {
				replies[i*len(objects)+j] = s.DryRuns.ask(ctx, s.Engine.PatienceFor(askPatience), s.Clusters.Connection(c.Name()), c.Name(), obj, creates)
			})
		}
	}
	wg.Wait()
	return replies
}

func (d *DryRuns) ask(ctx context.Context, patience time.Duration, connection *cluster.Cluster, name string, obj rollout.Object, creates bool) Reply {
	text, err := json.Marshal(obj)
	if err != nil {
		return Reply{Cluster: name, Object: obj, Err: err}
	}
	of := asked{name, sha256.Sum256(text), creates}
	d.mu.Lock()
	reply, ok := d.replies[of]
	if !ok {
		reply = sync.OnceValue(func() Reply {
			ask := connection.DryApply
			if creates || obj.GetName() == "" {
				ask = connection.DryCreate
			}
			warnings, err := ask(ctx, obj, patience)
			return Reply{name, obj, warnings, err}
		})
		if d.replies == nil {
			d.replies = map[asked]func() Reply{}
		}
		d.replies[of] = reply
	}
	d.mu.Unlock()
	return reply()
}
