package provider_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// holdsWith lets another manager hold fields of a workload, as whoever applies manifests
// does; where it has their values already, nothing but managedFields tells.
func (l *lab) holdsWith(name, fields string) {
	l.t.Helper()
	force := true
	body := `{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "` + name + `"}, "spec": ` + fields + `}`
	_, err := l.cluster.Client().AppsV1().Deployments(l.namespace).Patch(l.t.Context(), name, types.ApplyPatchType, []byte(body), metav1.PatchOptions{FieldManager: "manifests", Force: &force})
	l.must(err)
}

// TestAccStrategyThatOthersHold: what a configuration changes is changed, whoever else has
// a hand on it, in the apply whose plan shows it. What is set of a rolling update by
// somebody else does not outlive it.
func TestAccStrategyThatOthersHold(t *testing.T) {
	config := func(l *lab, s release.Strategy, lines ...string) string {
		return l.config(l.deployment(append(lines, strategy(s))...), l.main())
	}
	for name, touch := range map[string]func(l *lab){
		"another value": func(l *lab) {
			l.patchWorkload(inPlaceName, `{"spec": {"strategy": {"rollingUpdate": {"maxSurge": 2}}}}`)
		},
		"the same value": func(l *lab) {
			l.holdsWith(inPlaceName, `{"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}}`)
		},
		"applied": func(l *lab) { l.holdsWith(inPlaceName, `{"strategy": {"rollingUpdate": {"maxSurge": "50%"}}}`) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			w := l.inProcess()
			w.apply(config(l, release.StrategyRolling))
			touch(l)
			w.apply(config(l, release.StrategyRecreate)).wantActions(theDeployment, "update")
			if s := l.workload(inPlaceName).Spec.Strategy; s.Type != "Recreate" || s.RollingUpdate != nil {
				t.Errorf("the strategy is %+v", s)
			}
			w.wantNoChanges()
			w.apply(config(l, release.StrategyRecreate, image("v2"))).wantActions(theDeployment, "update")
			w.wantNoChanges()
			w.apply(config(l, release.StrategyRolling, image("v2")))
			w.wantNoChanges()
			w.destroy()
			l.wantNothingLeft()
		})
	}
}

// TestAccContentThatOthersHold: a version is bumped in place although somebody else has
// applied the image that was there, too.
func TestAccContentThatOthersHold(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(lines ...string) string {
		return l.config(l.deployment(append(lines, strategy(release.StrategyRolling))...), l.main())
	}
	w.apply(config())
	l.holdsWith(inPlaceName, `{"template": {"spec": {"containers": [{"name": "api", "image": "demo/api:v1"}]}}}`)
	w.wantNoChanges()
	w.apply(config(image("v2"))).wantActions(theDeployment, "update")
	w.wantState(theDeployment, "version", "v2", "status", "started")
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}
