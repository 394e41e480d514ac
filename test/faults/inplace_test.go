package faults_test

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// verbsInPlace change a release that is there and stays there: one beside main,
// or main itself.
func verbsInPlace() []verb {
	const stopped = `desired_state = "stopped"`
	beside := func(more string) config { return config{version: "v2", serving: "v1", more: more} }
	rolling := func(version string) config { return config{version: version, more: `strategy = "rolling"`} }
	main := func(version string) func(map[string]string) standing {
		return func(names map[string]string) standing {
			return standing{main: names[version], releases: []string{names[version]}}
		}
	}
	return []verb{
		{
			name: "stop", inPlace: release.OperationStop, before: []config{beside("")}, do: beside(stopped),
			want: func(names map[string]string) standing {
				return standing{main: names["v1"], releases: []string{names["v1"]}, stopped: []string{names["v2"]}}
			},
		},
		{
			name: "start", inPlace: release.OperationStart, before: []config{beside(stopped)}, do: beside(""),
			want: func(names map[string]string) standing {
				return standing{main: names["v1"], releases: []string{names["v1"], names["v2"]}}
			},
		},
		{
			name: "restart", inPlace: release.OperationRestart, replaces: true, before: []config{{version: "v1"}},
			do: config{version: "v1", more: `restart_triggers = { certificate = "2" }`}, want: main("v1"),
		},
		{
			name: "roll", inPlace: release.OperationUpdate, replaces: true, before: []config{rolling("v1")},
			do: rolling("v2"), want: main("v2"),
		},
	}
}

// leaves says that a write of the verb makes sure of what is there and changes
// nothing: the same as after the write before.
func (v verb) leaves(what string) bool {
	_, path, _ := strings.Cut(what, " ")
	return v.inPlace != "" && (strings.HasPrefix(path, "services ") || strings.HasPrefix(path, "poddisruptionbudgets "))
}

// changedOnce fails the test unless a change in place that was cut off and begun
// again is in the history once, by its name. One that had ended, which only its
// caller did not know, is another one the next time; where there is nothing left
// to do then, it is an update.
func (w *workspace) changedOnce(v verb, before int, ended bool) {
	w.t.Helper()
	entries := w.history()[before:]
	most := 1
	if ended {
		most = 2
	}
	for i, e := range entries {
		again := i > 0 && e.Operation == release.OperationUpdate
		if e.Outcome != release.OutcomeSucceeded || e.Deployment != w.name() || e.Operation != v.inPlace && !again {
			w.t.Errorf("the history has %+v", e)
		}
	}
	if len(entries) < 1 || len(entries) > most {
		w.t.Errorf("the history has %d entries of it: %+v", len(entries), entries)
	}
}

// finished says that nobody is at work on the release that the verb is about,
// as far as its record says.
func (w *workspace) finished() bool {
	w.t.Helper()
	cm, err := w.cluster.Client().CoreV1().ConfigMaps(w.namespace).Get(w.t.Context(), w.name(), metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	record, err := release.ParseRecord(cm.Data)
	if err != nil {
		w.t.Fatal(err)
	}
	return !record.Busy()
}

// stayedWhole fails the test if, since so many moments of its history, main had
// fewer ready pods than it is to have, or if its pods were replaced more often
// than asked for.
func (w *workspace) stayedWhole(v verb, main *testcluster.MainWatch, moments int) {
	w.t.Helper()
	main.NeverEmpty(w.t)
	if !v.replaces {
		main.Check(w.t, drain)
	}
	for _, at := range main.History()[moments:] {
		if len(at.Pods) < 2 {
			w.t.Errorf("at %s main had only %v", at.Time.Format("15:04:05.000"), at.Pods)
		}
	}
	sets, err := w.cluster.Client().AppsV1().ReplicaSets(w.namespace).List(w.t.Context(), metav1.ListOptions{LabelSelector: "switchback.dev/deployment=" + w.name()})
	if err != nil {
		w.t.Fatal(err)
	}
	want := 1
	if v.replaces {
		want = 2
	}
	if len(sets.Items) != want {
		w.t.Errorf("the pods have had %d templates, want %d", len(sets.Items), want)
	}
}
