package release

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAdoptionRemembersWhatWasThere(t *testing.T) {
	theirs, ours := map[string]string{"app": "api"}, Selector("api-0123abcd")
	merged := Selector("api-0123abcd")
	merged["app"] = "other"
	known := &Adoption{UID: "1", Selector: theirs}
	for name, tc := range map[string]struct {
		known    *Adoption
		uid      string
		selector map[string]string
		want     *Adoption
	}{
		"first":                      {nil, "1", theirs, known},
		"known":                      {known, "1", ours, known},
		"known, written by somebody": {known, "1", map[string]string{"app": "other"}, known},
		"made again":                 {known, "2", map[string]string{"app": "new"}, &Adoption{UID: "2", Selector: map[string]string{"app": "new"}}},
		"made again, as ours":        {known, "2", ours, &Adoption{UID: "2", Selector: theirs}},
		"forgotten":                  {nil, "1", ours, &Adoption{UID: "1", Selector: map[string]string{}}},
		"forgotten, and merged":      {nil, "1", merged, &Adoption{UID: "1", Selector: map[string]string{"app": "other"}}},
	} {
		t.Run(name, func(t *testing.T) {
			svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{UID: "1"}, Spec: corev1.ServiceSpec{Selector: tc.selector}}
			if tc.uid == "2" {
				svc.UID = "2"
			}
			if diff := cmp.Diff(tc.want, tc.known.Seen(svc)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(Selector("api-0123abcd"), ours); diff != "" {
				t.Errorf("the Service's own map was changed:\n%s", diff)
			}
		})
	}
}

func TestAdoptable(t *testing.T) {
	labels := func(application string) map[string]string {
		return map[string]string{LabelManagedBy: ManagedBy, LabelApplication: application}
	}
	for want, svc := range map[string]corev1.Service{
		"":                                      {Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "api"}, ClusterIP: "10.0.0.1"}},
		"which Switchback made. Leave":          {ObjectMeta: metav1.ObjectMeta{Labels: labels("api")}},
		`it belongs to the application "shop"`:  {ObjectMeta: metav1.ObjectMeta{Labels: labels("shop")}},
		`the application "shop" has adopted it`: {Spec: corev1.ServiceSpec{Selector: Selector("shop-0123abcd")}},
		"ExternalName":                          {Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName}},
		"it is headless":                        {Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone}},
	} {
		svc.Namespace, svc.Name = "ns", "web"
		err := Adoptable("prod", &svc, "api")
		if want == "" {
			if err != nil {
				t.Errorf("refused: %v", err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), `the Service ns/web on cluster "prod" cannot be adopted: `) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	ours := corev1.Service{Spec: corev1.ServiceSpec{Selector: Selector("api-0123abcd")}}
	if err := Adoptable("prod", &ours, "api"); err != nil {
		t.Errorf("what we adopted is refused: %v", err)
	}
	if err := AdoptedElsewhere("prod", &ours, "shop"); !strings.Contains(err.Error(), `"shop"`) {
		t.Error(err)
	}
}

func TestSelectorWriter(t *testing.T) {
	helm, kubectl := map[string]string{"meta.helm.sh/release-name": "shop"}, map[string]string{LastApplied: "{}"}
	applied := []metav1.ManagedFieldsEntry{
		{Manager: "kubectl", Operation: metav1.ManagedFieldsOperationApply}, {Manager: "helm", Operation: metav1.ManagedFieldsOperationApply},
	}
	for name, tc := range map[string]struct {
		annotations map[string]string
		fields      []metav1.ManagedFieldsEntry
		want        string
	}{
		"nobody":              {},
		"helm":                {annotations: helm, want: `the Helm release "shop"`},
		"kubectl":             {annotations: kubectl, want: "kubectl apply"},
		"helm, on the server": {annotations: helm, fields: applied},
		"kubectl, the same":   {annotations: kubectl, fields: applied},
	} {
		svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Annotations: tc.annotations, ManagedFields: tc.fields}}
		if got := SelectorWriter(svc); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}
