package cluster

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// DryCreate asks the API server what it says to the create of obj, which it does not do,
// and waits for so long. What it warns of comes back besides the error; see [RefusalOf]
// for that.
func (c *Cluster) DryCreate(ctx context.Context, obj Object, patience time.Duration) (warnings []string, err error) {
	return c.dryRun(ctx, obj, patience, func(res resource) (*rest.Request, error) {
		return c.request("POST", res, obj.GetNamespace(), "").
			VersionedParams(&metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: fieldManager}, parameterCodec).Body(obj), nil
	})
}

// DryApply asks it what it says to an apply of obj. Who has which field is the apply's to
// say, and what is in its way is the apply's to remove: nothing is said of either.
func (c *Cluster) DryApply(ctx context.Context, obj Object, patience time.Duration) (warnings []string, err error) {
	warnings, err = c.dryRun(ctx, obj, patience, func(res resource) (*rest.Request, error) {
		body, err := applyBody(res, obj)
		force := true
		return c.request("PATCH", res, obj.GetNamespace(), obj.GetName()).
			SetHeader("Content-Type", string(types.ApplyYAMLPatchType)).
			VersionedParams(&metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: fieldManager, Force: &force}, parameterCodec).Body(body), err
	})
	if apierrors.IsInvalid(err) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		live := fresh(obj).(Object)
		if c.Get(ctx, obj.GetNamespace(), obj.GetName(), live) == nil && len(workload.Blockers(live, obj)) > 0 {
			return warnings, nil
		}
	}
	return warnings, err
}

// dryRun asks once: whoever only wants to know does not wait for a server that fails.
func (c *Cluster) dryRun(ctx context.Context, obj Object, patience time.Duration, ask func(resource) (*rest.Request, error)) ([]string, error) {
	res, err := resourceOf(obj)
	if err != nil {
		return nil, err
	}
	if err := c.Check(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := ask(res)
	if err != nil {
		return nil, err
	}
	heard := &warningList{}
	err = request.WarningHandler(heard).Do(ctx).Error()
	err = c.wrap(call{"dry-run", res, obj.GetNamespace(), obj.GetName(), patience}, err)
	quiet(obj, err)
	warnings := heard.all()
	for i := range warnings {
		warnings[i] = mask.Values(warnings[i], variablesOf(obj)...)
	}
	return warnings, err
}

// warningList keeps what an API server warns of.
type warningList struct {
	mu    sync.Mutex
	texts []string
}

// HandleWarningHeader implements rest.WarningHandler.
func (w *warningList) HandleWarningHeader(code int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if text = mask.Redact(text); code == 299 && text != "" && !slices.Contains(w.texts, text) {
		w.texts = append(w.texts, text)
	}
}

func (w *warningList) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.texts
}

// Refusal is what an error of a dry run says of the write.
type Refusal string

// Refusals.
const (
	NotAsked Refusal = "not asked" // nothing: who asks may not, what is asked for is not there yet, or nobody answers
	NoRoom   Refusal = "no room"   // a quota is used up at this moment
	Refused  Refusal = "refused"   // the apply would meet the same
)

// missing is how admission says that what an object refers to is not there: the same
// apply may bring it.
var missing = regexp.MustCompile(`not found|was found|being terminated|no matches for kind`)

// RefusalOf reads an error of a dry run; empty: there is none. Whatever may be otherwise
// when the apply comes counts as not asked.
func RefusalOf(err error) Refusal {
	text := ""
	if _, status := answer(err); status != nil {
		text = status.Status().Message
	}
	denied := strings.Contains(text, "denied the request") || strings.Contains(text, "denied request:")
	switch {
	case err == nil:
		return ""
	case denied:
		return Refused // a webhook chooses its own code
	case apierrors.IsForbidden(err) && strings.Contains(text, "exceeded quota"):
		return NoRoom
	case missing.MatchString(text), strings.Contains(text, "does not support dry run"):
		return NotAsked
	case apierrors.IsForbidden(err) && !strings.Contains(text, " cannot "), apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return Refused
	}
	return NotAsked
}
