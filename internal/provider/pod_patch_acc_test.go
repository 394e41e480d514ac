package provider_test

import (
	"slices"
	"testing"
)

// TestAccPatchByMeaning: another spelling of a patch plans nothing, also after an import
// and beside a version that is gone back to; another meaning is another version. Our
// pre-stop sleep gives way to the handler that the patch brings.
func TestAccPatchByMeaning(t *testing.T) {
	l := newLab(t)
	w, imported := l.inProcess(), l.workspace()
	const typed = `pod_template_patch = <<-EOT
    # drains by itself
    spec:
      hostname: api
      containers:
      - name: api
        resources: {requests: {cpu: 100m}}
        lifecycle: {preStop: {exec: {command: [drain]}}}
  EOT
`
	patch := func(hostname, cpu string) string {
		return `pod_template_patch = "{\"spec\":{\"containers\":[{\"lifecycle\":{\"preStop\":{\"exec\":{\"command\":[\"drain\"]}}},\"name\":\"api\",\"resources\":{\"requests\":{\"cpu\":` + cpu + `}}}],\"hostname\":\"` + hostname + `\"}}\r\n"`
	}
	config := func(patch, tag string) string {
		return l.config(l.deployment(image(tag), createFirst, patch), l.main(keepPrevious(1)))
	}
	w.apply(config(typed, "v1"))
	w.wantNoChanges()
	first, _ := w.attributes(theDeployment)
	if h := l.workload(first["name"].(string)).Spec.Template.Spec.Containers[0].Lifecycle.PreStop; h.Exec == nil || h.Sleep != nil {
		t.Errorf("the handler is %+v", h)
	}

	w.apply(config(patch("api", "0.1"), "v1")).wantActions()
	same, _ := w.attributes(theDeployment)
	for _, attribute := range []string{"id", "content_hash", "pod_template_patch"} {
		if same[attribute] != first[attribute] {
			t.Errorf("%s is %v, and was %v", attribute, same[attribute], first[attribute])
		}
	}
	imported.write(config(patch("api", "0.1"), "v1"))
	imported.do("import", "-input=false", "-no-color", theDeployment, first["id"].(string))
	imported.do("import", "-input=false", "-no-color", theMain, l.namespace+"/api")
	imported.wantNoChanges()

	w.apply(config(patch("web", "0.1"), "v1"))
	other, _ := w.attributes(theDeployment)
	if other["id"] == first["id"] {
		t.Error("another meaning is the same version")
	}
	w.wantNoChanges()
	r := w.apply(config(typed, "v1"))
	r.wantPlanned(theDeployment, "id", first["id"])
	if !slices.Equal(r.actions[theDeployment], []string{"replace"}) {
		t.Errorf("going back is planned as %v", r.actions)
	}
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}
