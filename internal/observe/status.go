package observe

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// StatusOf is how far the last promotion came, and why, where there is something to
// say.
func StatusOf(observed []Main) (status release.MainStatus, reason string) {
	if status, reason, unfinished := Unfinished(observed); unfinished {
		return status, reason
	}
	return release.MainFinalized, ""
}

// Unfinished is what is left to do of a promotion, on the first cluster that has some;
// false where there is nothing.
func Unfinished(observed []Main) (status release.MainStatus, reason string, unfinished bool) {
	for _, o := range observed {
		now, stable := o.Split.Stable()
		switch {
		case o.Main == nil:
		case o.Main.Progress != nil && o.Main.Progress.Direction == release.DirectionNone && o.Main.Breach != nil:
			return release.MainFailed, o.Main.Breach.Reason, true
		case o.Main.Progress != nil && o.Main.Progress.Paused:
			status, reason := pauseOf(waiting(observed, o))
			return status, reason, true
		case o.Main.Progress != nil:
			return o.Main.Progress.Status(), leftOpen(o), true
		case stable && now != o.Main.Deployment:
			// Not written down yet: a promotion does that, wherever the traffic is wanted.
			return release.MainFinalizing, moved(o, now), true
		case len(o.Main.Leaves) > 0:
			return release.MainFinalizing, fmt.Sprintf("to be removed on cluster %q: its former %s", o.Cluster, o.Main.Leaves[0]), true
		case len(o.Leftover) > 0:
			return release.MainFinalizing, fmt.Sprintf("to be removed on cluster %q: %s", o.Cluster, strings.Join(o.Leftover, ", ")), true
		}
	}
	return "", "", false
}

// waiting is a cluster on which a pause is not over; or else o, on which it is.
func waiting(observed []Main, o Main) Main {
	if i := slices.IndexFunc(observed, func(o Main) bool { return o.Waits != "" }); i >= 0 {
		return observed[i]
	}
	return o
}

// pauseOf is the status of a promotion that is paused: due where its pause is over.
func pauseOf(o Main) (status release.MainStatus, reason string) {
	p := o.Main.Progress
	if o.Waits != "" {
		return release.MainPaused, o.Waits
	}
	return release.MainRunning, fmt.Sprintf("the pause of the promotion from %s to %s on cluster %q %s", p.Side(), p.To, o.Cluster, pauseIsOver)
}

// pauseIsOver is how that reason ends.
const pauseIsOver = "is over: it goes on"

// GoesOn says that a status has that reason: the next apply goes on where it was paused.
func GoesOn(status release.MainStatus, reason string) bool {
	return status == release.MainRunning && strings.HasSuffix(reason, pauseIsOver)
}

// leftOpen says which promotion has not come to its end on a cluster.
func leftOpen(o Main) string {
	from, to := o.Main.Progress.Side(), o.Main.Progress.To
	if from == to {
		return fmt.Sprintf("a promotion to %s was left unfinished on cluster %q", to, o.Cluster)
	}
	return fmt.Sprintf("a promotion from %s to %s was left unfinished on cluster %q", release.OrNothing(from), to, o.Cluster)
}

// moved says who led the address to now, and from where.
func moved(o Main, now string) string {
	text := fmt.Sprintf("%s moved the address from %s to %s on cluster %q", whoMoved(o.Service), release.OrNothing(o.Main.Deployment), now, o.Cluster)
	if o.Astray {
		text += ", which is no deployment of the application: nobody gets the traffic"
	}
	return text
}

// whoMoved is who wrote the selector of a Service last, as the API server recorded it.
func whoMoved(svc *corev1.Service) string {
	if svc == nil {
		return "somebody"
	}
	manager := workload.ManagerOf("spec.selector", svc)
	if manager == "" || manager == release.FieldManager {
		return "somebody"
	}
	return fmt.Sprintf("the field manager %q", mask.Redact(manager))
}
