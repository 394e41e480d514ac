package provider_test

import (
	"fmt"
	"slices"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// everyOrder runs a test with and without create_before_destroy.
func everyOrder(t *testing.T, test func(l *lab, lifecycle ...string)) {
	t.Parallel()
	t.Run("create_before_destroy", func(t *testing.T) { test(newLab(t), createFirst) })
	t.Run("destroy_before_create", func(t *testing.T) { test(newLab(t)) })
}

func TestAccVersionBump(t *testing.T) {
	everyOrder(t, func(l *lab, lifecycle ...string) {
		w, watch := l.inProcess(), l.watchMain()
		config := func(tag string) string {
			return l.config(l.deployment(append(lifecycle, image(tag))...), l.main())
		}
		w.apply(config("v1"))
		old := l.wantPods(nameOf("v1"), 1)
		w.apply(config("v2")).silent("still carries traffic")
		l.wantMain(nameOf("v2"))
		l.wantSamePods(nameOf("v1"), old)
		l.wantCustody(nameOf("v1"), release.CustodyRetained)
		w.wantState(theMain, "deployment_id", l.namespace+"/"+nameOf("v2"), "previous_deployment_id", l.namespace+"/"+nameOf("v1"), "status", "finalized")
		w.wantNoChanges()
		watch.Check(l.t, drain)

		w.apply(config("v3")) // v1 is kept no longer
		l.wantReleases(nameOf("v2"), nameOf("v3"))
		w.wantNoChanges()
		watch.Check(l.t, drain)
		w.destroy()
		l.wantNothingLeft()
	})
}

func TestAccForEachOverVersions(t *testing.T) {
	everyOrder(t, func(l *lab, lifecycle ...string) {
		w, watch := l.inProcess(), l.watchMain()
		config := func(main string, tags string) string {
			return l.config(
				l.deployment(append(lifecycle, `for_each = toset(`+tags+`)`, `image = "demo/api:${each.key}"`)...),
				l.main(fmt.Sprintf("deployment_id = switchback_deployment.api[%q].id", main), keepPrevious(0)),
			)
		}
		w.apply(config("v1", `["v1"]`))
		w.apply(config("v1", `["v1", "v2"]`))
		l.wantReleases(nameOf("v1"), nameOf("v2"))
		// Without create_before_destroy, Terraform destroys v1 before main moves.
		w.apply(config("v2", `["v2"]`))
		l.wantMain(nameOf("v2"))
		l.wantReleases(nameOf("v2"))
		w.wantNoChanges()
		w.apply(config("v3", `["v3"]`))
		l.wantMain(nameOf("v3"))
		l.wantReleases(nameOf("v3"))
		w.wantNoChanges()
		watch.Check(l.t, drain)
	})
}

func TestAccGoingBack(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		keep      int
		lifecycle string
		through   []string // the versions before going back to the first
		newPods   bool
	}{
		"one step, kept":                    {keep: 1, lifecycle: createFirst, through: []string{"v1", "v2"}},
		"one step, kept, destroyed first":   {keep: 1, through: []string{"v1", "v2"}},
		"two steps, two kept":               {keep: 2, lifecycle: createFirst, through: []string{"v1", "v2", "v3"}},
		"one step, nothing kept":            {keep: 0, lifecycle: createFirst, through: []string{"v1", "v2"}, newPods: true},
		"two steps, only the last one kept": {keep: 1, lifecycle: createFirst, through: []string{"v1", "v2", "v3"}, newPods: true},
		"nothing kept, and destroyed first": {keep: 0, through: []string{"v1", "v2"}, newPods: true},
		"two steps, kept, destroyed first":  {keep: 2, through: []string{"v1", "v2", "v3"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			w, watch := l.inProcess(), l.watchMain()
			config := func(tag string) string {
				return l.config(l.deployment(image(tag), test.lifecycle), l.main(keepPrevious(test.keep)))
			}
			w.apply(config("v1"))
			first := l.wantPods(nameOf("v1"), 1)
			for _, tag := range test.through[1:] {
				w.apply(config(tag))
			}
			if test.newPods {
				l.wantPods(nameOf("v1"), 0)
			}
			w.apply(config("v1"))
			l.wantMain(nameOf("v1"))
			last := test.through[len(test.through)-1]
			w.wantState(theMain, "deployment_id", l.namespace+"/"+nameOf("v1"), "previous_deployment_id", l.namespace+"/"+nameOf(last))
			w.wantNoChanges()
			watch.Check(t, drain)
			if now := l.wantPods(nameOf("v1"), 1); test.newPods == slices.Equal(first, now) {
				t.Errorf("the pods are %v, and were %v at first", now, first)
			}
			// The one left behind is now what is kept.
			if test.keep > 0 {
				l.wantCustody(nameOf(last), release.CustodyRetained)
			} else {
				l.wantReleases(nameOf("v1"))
			}
		})
	}
}

func TestAccReplaceTouchesNothing(t *testing.T) {
	for _, address := range []string{theDeployment, theMain} {
		t.Run(address, func(t *testing.T) {
			everyOrder(t, func(l *lab, lifecycle ...string) {
				w, watch := l.inProcess(), l.watchMain()
				config := l.config(l.deployment(lifecycle...), l.main(lifecycle...))
				w.apply(config)
				pods := l.wantPods(nameOf("v1"), 1)
				for range 2 {
					r := w.apply(config, "-replace="+address)
					if !slices.ContainsFunc(r.actions[address], func(a string) bool { return a == "replace" }) {
						l.t.Errorf("-replace=%s planned %v", address, r.actions)
					}
					l.wantMain(nameOf("v1"))
					l.wantSamePods(nameOf("v1"), pods)
					l.wantCustody(nameOf("v1"), release.CustodyOwned)
					w.wantState(theDeployment, "status", "started")
					w.wantState(theMain, "status", "finalized")
					w.wantNoChanges()
				}
				watch.Check(l.t, drain)
				// The tokens are those of the new claims: the next change is not refused.
				w.apply(l.config(l.deployment(append(lifecycle, image("v2"))...), l.main(append(lifecycle, keepPrevious(0))...)))
				l.wantReleases(nameOf("v2"))
				watch.Check(l.t, drain)
			})
		})
	}
}

// A tainted object loses its private state: what tells a replacement from a
// destroy is then gone, and the deployment must survive all the same.
func TestAccTaintedDeploymentKeepsItsTraffic(t *testing.T) {
	everyOrder(t, func(l *lab, lifecycle ...string) {
		w, watch := l.workspace(), l.watchMain()
		config := l.config(l.deployment(lifecycle...), l.main())
		w.apply(config)
		pods := l.wantPods(nameOf("v1"), 1)
		w.do("taint", theDeployment)
		w.apply(config)
		l.wantMain(nameOf("v1"))
		l.wantSamePods(nameOf("v1"), pods)
		l.wantCustody(nameOf("v1"), release.CustodyOwned)
		w.wantNoChanges()
		watch.Check(l.t, drain)
	})
}

func TestAccTriggersRedeployTheSameVersion(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	config := func(again string) string {
		return l.config(l.deployment(createFirst, `triggers = { again = "`+again+`" }`), l.main())
	}
	w.apply(config("1"))
	before, _ := w.attributes(theDeployment)
	w.apply(config("2")).silent("adopted")
	after, _ := w.attributes(theDeployment)
	if before["name"] == after["name"] || before["version"] != after["version"] {
		t.Errorf("%v of version %v became %v of version %v", before["name"], before["version"], after["name"], after["version"])
	}
	l.wantMain(after["name"].(string))
	w.wantNoChanges()
	watch.Check(t, drain)
}

func TestAccDestroyLeavesNothing(t *testing.T) {
	everyOrder(t, func(l *lab, lifecycle ...string) {
		w := l.inProcess()
		for _, tag := range []string{"v1", "v2", "v3"} {
			w.apply(l.config(l.deployment(append(lifecycle, image(tag), "replicas = 2")...), l.main(keepPrevious(2))))
		}
		l.wantReleases(nameOf("v1"), nameOf("v2"), nameOf("v3"))
		w.destroy().silent("still carries traffic")
		l.wantNothingLeft()
	})
}

func TestAccDestroyOfTheDeploymentTakesMainAlong(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	w.apply(l.config(l.deployment(), l.main()))
	w.throughCLI().destroy("-target=" + theDeployment)
	l.wantNothingLeft()
}

func TestAccDestroyOfMainAloneLeavesTheDeployment(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	w.apply(l.config(l.deployment(image("v1"), createFirst), l.main()))
	w.apply(l.config(l.deployment(image("v2"), createFirst), l.main()))
	w.apply(l.config(l.deployment(image("v2"), createFirst)))
	l.wantReleases(nameOf("v2")) // nobody can go back to v1 any more
	l.wantPods(nameOf("v2"), 1)
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}

func TestAccMainServiceIsRenamedBeforeTheOldOneGoes(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	w.apply(l.config(l.deployment(), l.main()))
	watch.Check(t, drain)
	next := l.cluster.WatchMain(t, l.namespace, "web")
	r := w.apply(l.config(l.deployment(), l.main(`traffic = { service = { name = "web", ports = { http = 8080 } } }`)))
	r.wantActions(theMain, "update")
	r.warns("Address gets another name", `before "api" is removed`)
	next.Check(t, drain)
	w.wantState(theMain, "url", "http://web."+l.namespace+".svc:8080", "status", "finalized")
	w.wantNoChanges()
	if _, err := l.cluster.Client().CoreV1().Services(l.namespace).Get(t.Context(), "api", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the former address: %v", err)
	}
	w.destroy()
	l.wantNothingLeft()
}

func TestAccKeepingFewerCollectsAtOnce(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	config := func(tag string, keep int) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(keepPrevious(keep)))
	}
	w.apply(config("v1", 2))
	w.apply(config("v2", 2))
	w.apply(config("v3", 2))
	l.wantReleases(nameOf("v1"), nameOf("v2"), nameOf("v3"))
	w.apply(config("v3", 1)).wantActions(theMain, "update")
	l.wantReleases(nameOf("v2"), nameOf("v3"))
	w.apply(config("v3", 0))
	l.wantReleases(nameOf("v3"))
	w.wantNoChanges()
	watch.Check(t, drain)
}

// Another application's name, or another namespace, is another address: the
// former one goes, with everything behind it.
func TestAccMovedApplication(t *testing.T) {
	for what, line := range map[string]func(l *lab) string{
		"application": func(*lab) string { return `application = "shop"` },
		"namespace":   func(l *lab) string { return fmt.Sprintf("namespace = %q", l.cluster.Namespace(l.t)) },
	} {
		t.Run(what, func(t *testing.T) {
			everyOrder(t, func(l *lab, lifecycle ...string) {
				w := l.inProcess()
				w.apply(l.config(l.deployment(append(lifecycle, image("v1"))...), l.main(lifecycle...)))
				w.apply(l.config(l.deployment(append(lifecycle, image("v2"))...), l.main(lifecycle...)))
				moved := append(lifecycle, line(l))
				w.apply(l.config(l.deployment(append(moved, image("v2"))...), l.main(moved...)))
				w.wantNoChanges()
				for _, name := range []string{nameOf("v1"), nameOf("v2"), "api-switchback"} {
					if custody := l.recordLabel(name, release.LabelApplication); custody != "" {
						l.t.Errorf("%s is still there", name)
					}
				}
				w.destroy()
				l.wantNothingLeft()
			})
		})
	}
}
