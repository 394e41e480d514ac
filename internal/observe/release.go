package observe

import (
	"context"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// Release is what stands of a release on one cluster.
type Release struct {
	Cluster  string
	Record   *release.Record    // nil: none
	Created  time.Time          // of the record
	Workload *appsv1.Deployment // nil: none
	Service  *corev1.Service    // nil: none
	Err      error              // the cluster could not be read; the rest is empty

	Autoscaler       *autoscalingv2.HorizontalPodAutoscaler // nil: none that the record knows of
	DisruptionBudget *policyv1.PodDisruptionBudget          // the same
	Files            []*corev1.ConfigMap                    // with files of its containers
	Preview          *gatewayv1.HTTPRoute                   // its own address, if the record knows of one

	Stopped bool // its application is

	// Share is how many of its pods it shall have, because its share of the traffic takes no
	// more; 0: all.
	Share int32

	// Floor is how few pods its autoscaler shall leave it, because a promotion has raised
	// that; 0: as few as are asked for.
	Floor int32

	// GoesOn says that a change of its content that has stopped on its way may go on: its
	// pause is over, or somebody has let it go on.
	GoesOn bool

	Past release.Past // of its application; empty where there is none, or none that can be read
}

// Exists says whether anything is left of the release.
func (o Release) Exists() bool {
	return o.Record != nil || o.Workload != nil || o.Service != nil
}

// Status is how far the release came: a pause that is over is work that is under way.
func (o Release) Status() release.Status {
	if o.GoesOn {
		return release.StatusRestarting
	}
	return o.Record.Status
}

// Reason is why the release's status is what it is; empty where there is nothing to
// say. That its application was stopped is none any more once that is started, or gone.
// It is one, too, where a run that stopped or started the application was cut off: that
// leaves the release in the middle, and without a reason.
func (o Release) Reason() string {
	switch reason := o.Record.Reason; {
	case o.GoesOn:
		return fmt.Sprintf("the pause on cluster %q at %d %% of its pods is over: the change goes on", o.Cluster, o.Record.Roll.Stop.Percent)
	case o.Stopped && reason == "":
		return release.ReasonWithMain
	case o.Record.WithMain && !o.Stopped && release.StoppedWithMain(reason):
		return ""
	case o.Record.Halted() && !release.StaysStopped(reason): // a stop that was cut off, or has failed
		return strings.TrimRight(o.Record.StoppedReason()+". "+reason, ". ")
	default:
		return reason
	}
}

// Releases reads a release on every cluster from the shared watch caches. It
// writes nothing, and an unreachable cluster is not an empty one.
func Releases(ctx context.Context, clusters []ownership.Cluster, id release.ID) []Release {
	all, _ := fleet.All(fleet.ByName(clusters), func(c ownership.Cluster) (Release, error) {
		o, err := releaseOn(ctx, c, id)
		if err != nil {
			o = Release{Err: err}
		}
		o.Cluster = c.Name()
		return o, nil
	})
	return all
}

// stoppedIn says that an application's ConfigMap tells of an application that is
// stopped.
func stoppedIn(cm *corev1.ConfigMap) bool {
	if cm == nil {
		return false
	}
	main, err := ownership.MainIn(cm.Data)
	return err == nil && main.Stopped()
}

// shareIn is how many pods a workload shall have for its share of the traffic, as it says
// itself, where an application's ConfigMap still tells of that share.
func shareIn(cm *corev1.ConfigMap, d *appsv1.Deployment) int32 {
	if cm == nil || d == nil || workload.ShareReplicas(d) == 0 {
		return 0
	}
	main, err := ownership.MainIn(cm.Data)
	if err != nil || main.ShareOf(d.Name) == nil {
		return 0
	}
	return workload.ShareReplicas(d)
}

// floorIn is what an autoscaler's floor is raised to, as it says itself, where an
// application's ConfigMap still tells of a promotion that has done so.
func floorIn(cm *corev1.ConfigMap, h *autoscalingv2.HorizontalPodAutoscaler) int32 {
	if cm == nil || h == nil || workload.RaisedFloor(h) == 0 {
		return 0
	}
	main, err := ownership.MainIn(cm.Data)
	if err != nil || !main.Raises(h.Name) {
		return 0
	}
	return workload.RaisedFloor(h)
}

func releaseOn(ctx context.Context, c ownership.Cluster, id release.ID) (o Release, err error) {
	view := c.View(id.Namespace)
	cm, err := ownership.Cached(ctx, view, &corev1.ConfigMap{}, id.Name)
	if err != nil {
		return o, err
	}
	if cm != nil {
		o.Created = cm.CreationTimestamp.UTC()
		if o.Record, err = ownership.RecordIn(cm.Data); err != nil {
			return o, ownership.Unreadable(c, cm, err)
		}
	}
	var pointer *corev1.ConfigMap
	if application, ok := release.ApplicationOf(id.Name); ok {
		if pointer, err = ownership.Cached(ctx, view, &corev1.ConfigMap{}, release.MainName(application)); err != nil {
			return o, err
		}
		o.Past = pastIn(pointer)
		o.Stopped = o.Record != nil && o.Record.WithMain && stoppedIn(pointer)
	}
	if o.Files, err = filesOf(ctx, view, o.Record, id.Name); err != nil {
		return o, err
	}
	if o.Workload, err = ownership.Cached(ctx, view, &appsv1.Deployment{}, id.Name); err != nil {
		return o, err
	}
	o.Share = shareIn(pointer, o.Workload)
	o.GoesOn = o.Record.Paused() && (!o.Record.Roll.Waits(c.Now()) || o.Workload != nil && !o.Workload.Spec.Paused)
	if o.Service, err = ownership.Cached(ctx, view, &corev1.Service{}, id.Name); err != nil || o.Record == nil {
		return o, err
	}
	if o.Autoscaler, err = expected(ctx, view, o.Record, release.CompanionAutoscaler, &autoscalingv2.HorizontalPodAutoscaler{}, id.Name); err != nil {
		return o, err
	}
	o.Floor = floorIn(pointer, o.Autoscaler)
	if o.DisruptionBudget, err = expected(ctx, view, o.Record, release.CompanionDisruptionBudget, &policyv1.PodDisruptionBudget{}, id.Name); err != nil {
		return o, err
	}
	o.Preview, err = expected(ctx, view, o.Record, release.CompanionPreview, &gatewayv1.HTTPRoute{}, id.Name)
	if apierrors.IsNotFound(err) { // the kind itself is gone, and every object with it
		return o, nil
	}
	return o, err
}

// expected reads a companion, if the record says that there may be one: nobody
// else has to list its kind, nor to be allowed to.
func expected[T ownership.Object](ctx context.Context, view ownership.View, record *release.Record, kind release.Companion, like T, name string) (T, error) {
	var none T
	if !record.Expects(kind) {
		return none, nil
	}
	obj, err := ownership.Cached(ctx, view, like, name)
	if _, known := record.Baseline[string(kind)]; !known && apierrors.IsForbidden(err) {
		return none, nil // whoever may not list them has not made one
	}
	return obj, err
}

// filesOf are the ConfigMaps with files of a release's containers.
func filesOf(ctx context.Context, view ownership.View, record *release.Record, name string) ([]*corev1.ConfigMap, error) {
	if record != nil && !record.Expects(release.CompanionFiles) {
		return nil, nil
	}
	found, err := view.List(ctx, &corev1.ConfigMap{}, map[string]string{release.LabelDeployment: name, release.LabelRole: release.RoleFiles})
	var files []*corev1.ConfigMap
	for _, obj := range found {
		files = append(files, obj.(*corev1.ConfigMap))
	}
	return files, err
}
