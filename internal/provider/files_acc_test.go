package provider_test

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// withFile is a container with a file.
func withFile(text string) string {
	return fmt.Sprintf(`container = { ports = { http = 8080 }, files = { "/etc/app/config.yaml" = %q } }`, text)
}

// files are the ConfigMaps with files of a release, live.
func (l *lab) files(name string) []corev1.ConfigMap {
	l.t.Helper()
	selector := release.LabelDeployment + "=" + name + "," + release.LabelRole + "=" + release.RoleFiles
	list, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).List(l.t.Context(), metav1.ListOptions{LabelSelector: selector})
	l.must(err)
	return list.Items
}

// wantFile is the only file of a release, which its pods mount.
func (l *lab) wantFile(name, want string) corev1.ConfigMap {
	l.t.Helper()
	found := l.files(name)
	if len(found) != 1 || len(found[0].Data) != 1 || !*found[0].Immutable {
		l.t.Fatalf("the files of %s are %+v", name, found)
	}
	pod := l.workload(name).Spec.Template.Spec
	mount := pod.Containers[0].VolumeMounts[0]
	if got := found[0].Data[mount.SubPath]; got != want || mount.MountPath != "/etc/app/config.yaml" || pod.Volumes[0].ConfigMap.Name != found[0].Name {
		l.t.Errorf("%s has %q at %+v", name, got, mount)
	}
	return found[0]
}

// TestAccFiles: a version's files are there before its pods, are repaired, stay with what is
// kept for going back, come back by an import, and go with it.
func TestAccFiles(t *testing.T) {
	l := newLab(t)
	w, watch := l.inProcess(), l.watchMain()
	config := func(text string) string {
		return l.config(l.deployment(withFile(text), createFirst), l.main(`keep_previous = { count = 1 }`))
	}
	w.apply(config("a: 1\n"))
	first := w.nameInState()
	l.wantFile(first, "a: 1\n")
	w.wantNoChanges()

	w.apply(config("a: 2\n")).wantActions(theDeployment, "replace", theMain, "update")
	second := w.nameInState()
	cm := l.wantFile(second, "a: 2\n")
	l.wantFile(first, "a: 1\n")
	w.wantNoChanges()

	// Deleted, or made again with something else in it, it is repaired; no pod is replaced.
	pods, maps := l.wantPods(second, 1), l.cluster.Client().CoreV1().ConfigMaps(l.namespace)
	l.must(maps.Delete(t.Context(), cm.Name, metav1.DeleteOptions{}))
	w.refresh()
	if found := w.drift(theDeployment); len(found) != 1 || !(driftLine{Object: "ConfigMap/" + cm.Name, Manager: unrecorded}).in(found[0]) {
		t.Errorf("drift is %+v", found)
	}
	w.apply(config("a: 2\n")).wantActions(theDeployment, "update")
	l.must(maps.Delete(t.Context(), cm.Name, metav1.DeleteOptions{}))
	other := cm
	other.ObjectMeta = metav1.ObjectMeta{Name: cm.Name, Labels: cm.Labels}
	other.Data = map[string]string{}
	for key := range cm.Data {
		other.Data[key] = "hunter2"
	}
	_, err := maps.Create(t.Context(), &other, metav1.CreateOptions{FieldManager: somebody})
	l.must(err)
	w.refresh()
	if found := w.drift(theDeployment); !slices.ContainsFunc(found, func(d driftLine) bool {
		return driftLine{Object: "ConfigMap/" + cm.Name, Actual: "(value not shown)", Manager: somebody}.in(d)
	}) {
		t.Errorf("drift is %+v", found)
	}
	w.apply(config("a: 2\n")).wantActions(theDeployment, "update")
	l.wantFile(second, "a: 2\n")
	l.wantSamePods(second, pods)
	w.wantNoChanges()

	imported := l.inProcess()
	imported.write(config("a: 2\n"))
	imported.do("import", theDeployment, l.namespace+"/"+second)
	imported.do("import", theMain, l.namespace+"/api")
	if r := imported.plan(); len(r.actions[theDeployment]) > 0 {
		t.Errorf("the plan after an import is not empty:\n%s", imported.explain())
	}

	w.apply(config("a: 1\n"))
	l.wantMain(first)
	watch.NeverEmpty(t)
	w.destroy()
	l.wantNothingLeft()
}

// TestAccFilesOfAStranger: a ConfigMap of that name that is not ours is found before
// anything is written.
func TestAccFilesOfAStranger(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := l.config(l.deployment(withFile("a")))
	w.apply(config)
	name := w.nameInState()
	w.destroy()
	_, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name + "-files"}}, metav1.CreateOptions{})
	l.must(err)
	w.applyFails(config).tells("ConfigMap", name+"-files")
	l.wantNothingLeft()
}

// TestAccFilesInPlace: a change in place has its own files while the pods of the former
// content still run; what fails goes back to those, and what nobody mounts goes.
func TestAccFilesInPlace(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(lines ...string) string {
		return l.config(l.deployment(append(lines, strategy(release.StrategyRolling))...))
	}
	w.apply(config(withFile("a")))
	first := l.wantFile(inPlaceName, "a").Name
	w.apply(config(withFile("b"), `restart_triggers = { a = "b" }`)).wantActions(theDeployment, "update")
	if second := l.wantFile(inPlaceName, "b").Name; second == first {
		t.Errorf("the files changed within %s", first)
	}
	w.wantNoChanges()
	w.applyFails(config(withFile("c"), `image = "demo/missing:v3"`)).tells("is back at version v1")
	l.wantFile(inPlaceName, "b")
	w.apply(config())
	if left := l.files(inPlaceName); len(left) > 0 {
		t.Errorf("there are %+v", left)
	}
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}

// TestAccFilesAreAsked: what cannot be a file is an error of the plan, on its key.
func TestAccFilesAreAsked(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	w.applyFails(l.config(l.deployment(`container = { files = { "etc/a" = "a" } }`))).tells("Invalid file path", `"etc/a"`)
	l.wantNothingLeft()
}
