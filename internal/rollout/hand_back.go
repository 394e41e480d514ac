package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/promotion"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
)

// lookBack finds out whether an adopted Service can lead again where it led before. It
// cannot where that has no ready pod, or would send traffic to old and new pods at once.
func (end *ending) lookBack(ctx context.Context, service traffic.ServiceSpec, known *release.Adoption, seen *promotion.Ending) error {
	e, c := end.engine, end.cluster
	svc, err := observe.AdoptedService(ctx, c, service.Namespace, service.Name, service.Application)
	if err != nil || svc == nil {
		return err // gone, or it leads to no release of ours any more: perhaps since a moment ago, by a run that was killed here
	}
	end.adopted, seen.Leads = svc, true
	ready, ours, why := e.readyOf(ctx, c, svc, known)
	end.overlap, seen.TakesBack = len(ours) > 0, ready
	if ready && end.overlap {
		if why, err = e.mixes(ctx, c, svc, ours, known); err != nil {
			return err
		}
		seen.TakesBack = why == ""
	}
	if !seen.TakesBack {
		n := notHandedBack(c, svc, service.Application, why, ready)
		end.stays = &n
	}
	return nil
}

// handBack gives an adopted Service its former selector.
func (end *ending) handBack(ctx context.Context) error {
	if err := end.engine.restore(ctx, end.cluster, end.router, end.adopted, end.overlap); err != nil {
		return err
	}
	known := end.main.Adopted
	end.cluster.Emit(ctx, end.adopted, release.EventHandedBack, end.engine.inRun("traffic moved back to "+labels.FormatLabels(known.Selector)), false)
	return nil
}

// restore gives the Service its former selector and waits until the data plane
// has followed. Where it does not, the Service goes back to the release.
func (e *Engine) restore(ctx context.Context, c Cluster, router *traffic.Service, svc *corev1.Service, overlap bool) error {
	left := svc.Spec.Selector[release.LabelDeployment]
	waiting, cancel := context.WithTimeoutCause(ctx, e.timing.Settle, fmt.Errorf("the endpoints of the Service did not follow within %s", e.timing.Settle))
	defer cancel()
	err := router.Restore(waiting)
	if err == nil {
		err = wait.Until(waiting, c.View(svc.Namespace).Changes(""), func() (bool, time.Duration, error) {
			back, err := router.Restored(waiting, left, overlap)
			return back, 0, err
		})
	}
	if err == nil {
		return nil
	}
	clean, stop := e.keeper.Cleanup(ctx)
	defer stop()
	if _, _, again := router.Shift(clean, release.Split{left: 100}); again != nil {
		err = errors.Join(err, fmt.Errorf("going back to %s failed too: %w", left, again))
	}
	return fmt.Errorf("the adopted Service %s/%s on cluster %q could not be handed back and still selects %s: %w", svc.Namespace, svc.Name, c.Name(), left, err)
}

// mixes says why a Service that is handed back would send traffic to old and new
// pods at once: its former selector selects those of releases, ours, that do not
// allow it to. Empty where all do.
func (e *Engine) mixes(ctx context.Context, c Cluster, svc *corev1.Service, ours []string, known *release.Adoption) (string, error) {
	var mixed []string
	for _, name := range ours {
		application, _ := release.ApplicationOf(name)
		_, record, err := ownership.LiveRecord(ctx, c, release.ID{Namespace: svc.Namespace, Name: name}, application)
		if err != nil && !apierrors.IsNotFound(err) {
			return "", err
		}
		if record == nil || !slices.Contains(record.AllowSelectedBy, svc.Name) {
			mixed = append(mixed, name)
		}
	}
	if len(mixed) == 0 {
		return "", nil
	}
	return fmt.Sprintf("what it selected before (%s) are also the pods of %s: old and new ones would serve together", labels.FormatLabels(known.Selector), strings.Join(mixed, ", ")), nil
}

// readyOf says whether a ready pod of somebody else's has the labels that an
// adopted Service selected before, and if not, why. ours are the releases whose
// pods have them too.
func (e *Engine) readyOf(ctx context.Context, c Cluster, svc *corev1.Service, known *release.Adoption) (ready bool, ours []string, why string) {
	if known == nil || len(known.Selector) == 0 {
		return false, nil, "what it selected before is not known any more: handing it back would have been an outage"
	}
	selector := labels.SelectorFromSet(known.Selector).String()
	pods := &corev1.PodList{}
	if err := c.List(ctx, svc.Namespace, selector, pods); err != nil {
		return false, nil, fmt.Sprintf("it cannot be told whether what it selected before (%s) has a ready pod: %v", selector, err)
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		if name := pod.Labels[release.LabelDeployment]; name != "" {
			if !slices.Contains(ours, name) {
				ours = append(ours, name)
			}
			continue
		}
		ready = ready || pod.DeletionTimestamp == nil && traffic.Named(svc, &pod.Spec) && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		})
	}
	slices.Sort(ours)
	return ready, ours, fmt.Sprintf("what it selected before (%s) has no ready pod that it would reach: handing it back would have been an outage", selector)
}
