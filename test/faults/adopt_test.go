package faults_test

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestAdoptionIsCutOffAfterEveryWrite kills, or interrupts, the run that takes a
// Service over, and the one that hands it back: at every moment the Service
// selects ready pods, and the next run goes on.
func TestAdoptionIsCutOffAfterEveryWrite(t *testing.T) {
	t.Parallel()
	v1 := config{version: "v1", adopt: true}
	only := config{version: "v1", noMain: true}
	for _, v := range []verb{
		{name: "adopt", adopts: true, before: []config{only}, do: v1, want: func(names map[string]string) standing {
			return standing{main: names["v1"], releases: []string{names["v1"]}}
		}},
		{name: "hand back", adopts: true, before: []config{v1}, destroy: true, want: func(map[string]string) standing { return standing{} }},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			for i, at := range v.point(t).steps { // a kill and an interrupt take turns
				if i%2 == 0 {
					t.Run("killed "+at.String(), func(t *testing.T) {
						t.Parallel()
						cutOff(t, v, at, true, (*execution).killProviders)
					})
					continue
				}
				t.Run("interrupted "+at.String(), func(t *testing.T) {
					t.Parallel()
					cutOff(t, v, at, false, (*execution).interrupt)
				})
			}
		})
	}
}

// checkAdopted fails the test unless the adopted Service is as it was, apart
// from its selector, which is the old one where the release is gone.
func (w *workspace) checkAdopted(want standing) {
	w.t.Helper()
	svc, err := w.cluster.Client().CoreV1().Services(w.namespace).Get(w.t.Context(), application, metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	if want.main == "" {
		if !maps.Equal(svc.Spec.Selector, testcluster.LegacySelector(application)) {
			w.t.Errorf("the Service selects %v", svc.Spec.Selector)
		}
		for _, entry := range svc.ManagedFields {
			if entry.Manager == "switchback" {
				w.t.Errorf("we still manage %s", entry.FieldsV1)
			}
		}
	}
	before, now := w.legacy.DeepCopy(), svc.DeepCopy()
	before.ManagedFields, before.ResourceVersion, before.Spec.Selector = nil, "", nil
	now.ManagedFields, now.ResourceVersion, now.Spec.Selector = nil, "", nil
	if diff := cmp.Diff(before, now); diff != "" {
		w.t.Errorf("more than the selector changed:\n%s", diff)
	}
}
