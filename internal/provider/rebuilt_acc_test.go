package provider_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// Clusters that are not what the state knows of them: another one that is empty, or
// one that was put back from a backup.

const (
	anotherCluster = "Cluster is another one than before"
	fromBackup     = "Cluster was restored from a backup"
)

// backup is what of ours is in a namespace at one moment.
type backup struct {
	workloads []appsv1.Deployment
	services  []corev1.Service
	budgets   []policyv1.PodDisruptionBudget
	maps      []corev1.ConfigMap
	leases    []coordinationv1.Lease
}

// backUp takes one, which was written down a day ago.
func (l *lab) backUp() *backup {
	l.t.Helper()
	client, ctx, ours := l.cluster.Client(), l.t.Context(), metav1.ListOptions{LabelSelector: release.ManagedSelector}
	workloads, err1 := client.AppsV1().Deployments(l.namespace).List(ctx, ours)
	services, err2 := client.CoreV1().Services(l.namespace).List(ctx, ours)
	budgets, err3 := client.PolicyV1().PodDisruptionBudgets(l.namespace).List(ctx, ours)
	configMaps, err4 := client.CoreV1().ConfigMaps(l.namespace).List(ctx, ours)
	leases, err5 := client.CoordinationV1().Leases(l.namespace).List(ctx, ours)
	l.must(errors.Join(err1, err2, err3, err4, err5))
	b := &backup{workloads: workloads.Items, services: services.Items, budgets: budgets.Items, maps: configMaps.Items, leases: leases.Items}
	for _, cm := range b.maps {
		for key, text := range cm.Data {
			cm.Data[key] = moment.ReplaceAllStringFunc(text, yesterday)
		}
	}
	return b
}

var moment = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)

func yesterday(text string) string {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return text
	}
	return at.Add(-24 * time.Hour).Format(time.RFC3339Nano)
}

// edit changes one key of a ConfigMap in the backup.
func (b *backup) edit(t *testing.T, name, key string, change func(content map[string]any)) {
	t.Helper()
	for i := range b.maps {
		if b.maps[i].Name != name {
			continue
		}
		content := map[string]any{}
		if err := json.Unmarshal([]byte(b.maps[i].Data[key]), &content); err != nil {
			t.Fatal(err)
		}
		change(content)
		text, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		b.maps[i].Data[key] = string(text)
		return
	}
	t.Fatalf("the backup has no ConfigMap %s", name)
}

// restore puts the backup back in place of what is there, with other uids, and
// returns when the pods are ready that were.
func (l *lab) restore(b *backup) {
	l.t.Helper()
	l.wipe()
	client, ctx, options := l.cluster.Client(), l.t.Context(), metav1.CreateOptions{FieldManager: "restore"}
	var errs []error
	owned := func(was metav1.Object, err error, patch func(data []byte) error) {
		if err != nil {
			errs = append(errs, err)
			return
		}
		var fields []metav1.ManagedFieldsEntry
		for _, f := range was.GetManagedFields() {
			if f.Subresource == "" {
				fields = append(fields, f)
			}
		}
		data, err := json.Marshal(map[string]any{"metadata": map[string]any{"managedFields": fields}})
		errs = append(errs, err, patch(data))
	}
	for _, o := range b.workloads {
		_, err := client.AppsV1().Deployments(l.namespace).Create(ctx, &appsv1.Deployment{ObjectMeta: bareMeta(o.ObjectMeta), Spec: o.Spec}, options)
		owned(&o, err, func(data []byte) error {
			_, err := client.AppsV1().Deployments(l.namespace).Patch(ctx, o.Name, types.MergePatchType, data, metav1.PatchOptions{FieldManager: "restore"})
			return err
		})
	}
	for _, o := range b.services {
		o.Spec.ClusterIP, o.Spec.ClusterIPs = "", nil
		_, err := client.CoreV1().Services(l.namespace).Create(ctx, &corev1.Service{ObjectMeta: bareMeta(o.ObjectMeta), Spec: o.Spec}, options)
		owned(&o, err, func(data []byte) error {
			_, err := client.CoreV1().Services(l.namespace).Patch(ctx, o.Name, types.MergePatchType, data, metav1.PatchOptions{FieldManager: "restore"})
			return err
		})
	}
	for _, o := range b.budgets {
		_, err := client.PolicyV1().PodDisruptionBudgets(l.namespace).Create(ctx, &policyv1.PodDisruptionBudget{ObjectMeta: bareMeta(o.ObjectMeta), Spec: o.Spec}, options)
		owned(&o, err, func(data []byte) error {
			_, err := client.PolicyV1().PodDisruptionBudgets(l.namespace).Patch(ctx, o.Name, types.MergePatchType, data, metav1.PatchOptions{FieldManager: "restore"})
			return err
		})
	}
	for _, o := range b.maps {
		_, err := client.CoreV1().ConfigMaps(l.namespace).Create(ctx, &corev1.ConfigMap{ObjectMeta: bareMeta(o.ObjectMeta), Data: o.Data}, options)
		errs = append(errs, err)
	}
	for _, o := range b.leases {
		_, err := client.CoordinationV1().Leases(l.namespace).Create(ctx, &coordinationv1.Lease{ObjectMeta: bareMeta(o.ObjectMeta), Spec: o.Spec}, options)
		errs = append(errs, err)
	}
	l.must(errors.Join(errs...))
	for _, was := range b.workloads {
		testcluster.Eventually(l.t, hang, "the pods of "+was.Name, func() error {
			d, err := client.AppsV1().Deployments(l.namespace).Get(ctx, was.Name, metav1.GetOptions{})
			if err == nil && (d.Status.ObservedGeneration < d.Generation || d.Status.ReadyReplicas != was.Status.ReadyReplicas) {
				err = fmt.Errorf("%+v", d.Status)
			}
			return err
		})
	}
}

// bareMeta is an object's metadata without what an API server adds.
func bareMeta(m metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: m.Name, Labels: maps.Clone(m.Labels), Annotations: maps.Clone(m.Annotations)}
}

// wipe removes all that is ours from the namespace.
func (l *lab) wipe() {
	l.t.Helper()
	client, ctx, ours := l.cluster.Client(), l.t.Context(), metav1.ListOptions{LabelSelector: release.ManagedSelector}
	foreground := metav1.DeletePropagationForeground
	now := metav1.DeleteOptions{PropagationPolicy: &foreground}
	services, err := client.CoreV1().Services(l.namespace).List(ctx, ours)
	l.must(err)
	for _, svc := range services.Items {
		l.must(client.CoreV1().Services(l.namespace).Delete(ctx, svc.Name, now))
	}
	l.must(errors.Join(
		client.AppsV1().Deployments(l.namespace).DeleteCollection(ctx, now, ours),
		client.PolicyV1().PodDisruptionBudgets(l.namespace).DeleteCollection(ctx, now, ours),
		client.CoreV1().ConfigMaps(l.namespace).DeleteCollection(ctx, now, ours),
		client.CoordinationV1().Leases(l.namespace).DeleteCollection(ctx, now, ours),
	))
	testcluster.Eventually(l.t, hang, "everything to be gone", func() error {
		deployments, err1 := client.AppsV1().Deployments(l.namespace).List(ctx, ours)
		pods, err2 := client.CoreV1().Pods(l.namespace).List(ctx, metav1.ListOptions{LabelSelector: release.LabelApplication})
		services, err3 := client.CoreV1().Services(l.namespace).List(ctx, ours)
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}
		if n := len(deployments.Items) + len(pods.Items) + len(services.Items); n > 0 {
			return fmt.Errorf("%d objects are left", n)
		}
		return nil
	})
}

// onCluster is the lab's namespace on another cluster, under the same name in the
// configuration.
func (l *lab) onCluster(c *testcluster.Cluster) *lab {
	l.t.Helper()
	other := &lab{t: l.t, cluster: c, namespace: l.namespace, provider: connection(c.KubeconfigPath)}
	other.makeNamespace()
	return other
}

// once fails the test unless there is exactly one warning with this summary.
func (r *result) once(summary string) {
	r.t.Helper()
	n := 0
	for _, d := range r.diags {
		if d.Severity == "warning" && d.Summary == summary {
			n++
		}
	}
	if n != 1 {
		r.t.Errorf("%s warns %d times of %q, want once:\n%s", r.what, n, summary, r.messages(""))
	}
}

// settles fails the test unless an apply has left nothing to do, nor to say about
// the cluster.
func (w *workspace) settles() {
	w.t.Helper()
	r := w.wantNoChanges()
	r.silent(anotherCluster)
	r.silent(fromBackup)
}

// Another cluster answers under the same name, and has nothing: it is told, once,
// and one apply makes everything.
func TestAccRebuiltEmpty(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(l *lab, tag string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(keepPrevious(1)))
	}
	w.apply(config(l, "v1"))
	w.apply(config(l, "v2"))
	w.settles()

	now := l.onCluster(testcluster.Clusters(t, 2)[1])
	w.write(config(now, "v2"))
	r := w.plan()
	r.wantActions(theDeployment, "create", theMain, "create")
	r.once(anotherCluster)
	r.warns(`cluster "default"`, l.namespace, "expected_uid")
	w.apply(config(now, "v2")).once(anotherCluster)
	now.wantMain(nameOf("v2"))
	now.wantReleases(nameOf("v2"))
	w.settles()
	w.apply(config(now, "v1"))
	w.destroy()
	now.wantNothingLeft()
	l.wantMain(nameOf("v2")) // the former cluster was not touched
}

// The namespace may not be there yet: that is told, too, and what is planned is
// made when it is.
func TestAccRebuiltWithoutNamespace(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(l *lab) string { return l.config(l.deployment(), l.main()) }
	w.apply(config(l))
	now := &lab{t: t, cluster: testcluster.Clusters(t, 2)[1], namespace: l.namespace}
	now.provider = connection(now.cluster.KubeconfigPath)
	w.write(config(now))
	r := w.plan()
	r.wantActions(theDeployment, "create", theMain, "create")
	r.once(anotherCluster)
	r.warns("has no namespace " + l.namespace)
	w.applyFails(config(now)).tells("Namespace is not there")
	now.makeNamespace()
	w.apply(config(now))
	w.settles()
}

// A backup from before the last promotion: what was made since is made again, the
// address moves to it without a gap, and what is back is told.
func TestAccRestoredFromBeforeThePromotion(t *testing.T) {
	t.Parallel()
	for _, keep := range []int{0, 1} {
		t.Run(fmt.Sprintf("%d kept", keep), func(t *testing.T) {
			l := newLab(t)
			w := l.inProcess()
			if keep > 0 {
				w = l.workspace() // the same through a CLI, which keeps private state in its own way
			}
			config := func(tag string) string {
				return l.config(l.deployment(image(tag), createFirst), l.main(keepPrevious(keep)))
			}
			w.apply(config("v1"))
			old := l.backUp()
			w.apply(config("v2"))
			w.settles()

			l.restore(old)
			watch, pods := l.watchMain(), l.wantPods(nameOf("v1"), 1)
			r := w.plan()
			r.wantActions(theDeployment, "create", theMain, "update")
			r.once(fromBackup)
			r.warns(`cluster "default"`, nameOf("v1"), release.LabelDeployment+"="+nameOf("v1"))
			r.silent(anotherCluster)
			w.apply(config("v2")).once(fromBackup)
			l.wantMain(nameOf("v2"))
			l.wantSamePods(nameOf("v1"), pods) // whose it is cannot be told
			w.settles()
			watch.Check(t, drain)

			// It is gone back to as ever, and leaves nothing behind.
			w.apply(config("v1"))
			l.wantMain(nameOf("v1"))
			l.wantSamePods(nameOf("v1"), pods)
			w.settles()
			watch.Check(t, drain)
			w.destroy()
			l.wantNothingLeft()
		})
	}
}

// Yesterday's tokens are those of earlier claims, which this state has replaced:
// they are shown, and taken back, by every kind of resource.
func TestAccRestoredWithYesterdaysTokens(t *testing.T) {
	t.Parallel()
	type test struct {
		config, others func(l *lab, tag string) string
		refusal        string // for whoever has the older claim
	}
	alone := func(l *lab, tag string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(keepPrevious(0)))
	}
	grouped := func(l *lab, tag string) string {
		return l.config(l.deployment(image(tag), createFirst), group([]string{member("api")}, keepPrevious(0)))
	}
	for name, test := range map[string]test{
		"a main deployment":                    {alone, alone, "claimed by"},
		"a group":                              {grouped, grouped, "claimed by"},
		"a group, where a main deployment was": {grouped, alone, "belongs to a deployment group"},
		"a main deployment, where a group was": {alone, grouped, "claimed by"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			former, w := l.inProcess(), l.inProcess()
			former.apply(test.others(l, "v1"))
			old := l.backUp()
			w.apply(test.config(l, "v1")).warns("Existing deployment adopted", "Existing main deployment taken over")
			w.settles()

			l.restore(old)
			watch, pods := l.watchMain(), l.wantPods(nameOf("v1"), 1)
			r := w.plan()
			r.once(fromBackup)
			if actions := r.actions; len(actions) != 2 || actions[theDeployment][0] != "update" {
				t.Errorf("it plans %v", actions)
			}
			r = w.apply(test.config(l, "v1"))
			r.once(fromBackup)
			r.once("Deployment from a backup taken back")
			r.once("Main deployment from a backup taken back")
			l.wantMain(nameOf("v1"))
			l.wantSamePods(nameOf("v1"), pods)
			w.settles()

			// Whoever has the older claim has lost it once more.
			former.applyFails(test.others(l, "v2")).tells(test.refusal)
			l.wantMain(nameOf("v1"))
			w.apply(test.config(l, "v2"))
			l.wantMain(nameOf("v2"))
			l.wantReleases(nameOf("v2"))
			w.settles()
			watch.Check(t, drain)
			w.destroy()
			l.wantNothingLeft()
		})
	}
}

// What is destroyed goes, although its record is from a backup.
func TestAccRestoredAndDestroyed(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := l.config(l.deployment(), l.main(keepPrevious(0)))
	w.apply(config)
	old := l.backUp()
	w.do("state", "rm", theDeployment, theMain)
	w.apply(config)
	l.restore(old)
	w.destroy()
	l.wantNothingLeft()
}

// What a later claim holds is somebody else's, also on a cluster that was restored.
func TestAccRestoredAndClaimedSince(t *testing.T) {
	l := newLab(t)
	former, now := l.inProcess(), l.inProcess()
	config := func(tag string) string { return l.config(l.deployment(image(tag)), l.main()) }
	former.apply(config("v1"))
	old := l.backUp()
	former.do("state", "rm", theDeployment, theMain)
	former.apply(config("v1"))
	l.restore(old)
	now.apply(config("v1")).warns("Existing deployment adopted", "Existing main deployment taken over")
	former.applyFails(config("v2")).tells("claimed by", "import <address> "+l.namespace+"/api")
	l.wantMain(nameOf("v1"))
	former.destroy()
	now.wantNoChanges()
	now.destroy()
	l.wantNothingLeft()
}

// A backup that was taken in the middle of a promotion, by a run that is long
// dead: its Lease, its checkpoint and its heartbeat are in it.
func TestAccRestoredFromTheMiddleOfAPromotion(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(keepPrevious(1)))
	}
	w.apply(config("v1"))
	w.apply(config("v2"))
	old := l.backUp()
	memory := release.MainName("api")
	old.edit(t, memory, release.MainKey, func(main map[string]any) {
		main["checkpoint"] = map[string]any{"from": nameOf("v2"), "to": nameOf("v1"), "step": "running", "holder": "the dead"}
	})
	old.edit(t, nameOf("v1"), release.RecordKey, func(record map[string]any) {
		record["run"], record["holder"], record["custody"] = "dead", "the dead", "claimed"
	})
	holder, seconds := "the dead", int32(1)
	for i := range old.leases {
		old.leases[i].Spec.HolderIdentity, old.leases[i].Spec.LeaseDurationSeconds = &holder, &seconds
	}
	w.apply(config("v3"))
	w.settles()

	l.restore(old)
	watch := l.watchMain()
	r := w.plan()
	r.wantActions(theDeployment, "create", theMain, "update")
	r.once(fromBackup)
	w.apply(config("v3"))
	l.wantMain(nameOf("v3"))
	w.settles()
	watch.Check(t, drain)
	l.wantCustody(nameOf("v1"), "") // nobody has it, nor keeps it
}

// What changes in place has yesterday's content again, under the same name.
func TestAccRestoredInPlace(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), `strategy = "rolling"`), l.main())
	}
	w.apply(config("v1"))
	old := l.backUp()
	w.apply(config("v2"))
	w.settles()
	l.restore(old)
	watch := l.watchMain()
	r := w.plan()
	r.wantActions(theDeployment, "update")
	r.once(fromBackup)
	w.apply(config("v2"))
	d, err := l.cluster.Client().AppsV1().Deployments(l.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: release.ManagedSelector})
	l.must(err)
	if image := d.Items[0].Spec.Template.Spec.Containers[0].Image; !strings.HasSuffix(image, ":v2") {
		t.Errorf("it runs %s", image)
	}
	w.settles()
	watch.NeverEmpty(t)
	w.destroy()
	l.wantNothingLeft()
}

// Of several clusters, one was rebuilt, or restored: the others are not touched.
func TestAccOneOfSeveralRebuilt(t *testing.T) {
	t.Parallel()
	clusters := testcluster.Clusters(t, 3)
	config := func(p *pair, tag string) string {
		return p.east.config(p.east.deployment(image(tag), on("east", "west"), createFirst), p.east.main(on("east", "west"), keepPrevious(1)))
	}
	t.Run("empty", func(t *testing.T) {
		p := onPair(t, clusters[0], clusters[1])
		w := p.east.inProcess()
		w.apply(config(p, "v1"))
		w.apply(config(p, "v2"))
		w.settles()
		pods, watch := p.east.wantPods(nameOf("v2"), 1), p.east.watchMain()
		p.west = p.west.onCluster(clusters[2])
		p.east.provider = block(`provider "switchback"`, []string{fmt.Sprintf("clusters = {\n    east = { config_path = %q }\n    west = { config_path = %q }\n  }", clusters[0].KubeconfigPath, clusters[2].KubeconfigPath)})
		w.write(config(p, "v2"))
		r := w.plan()
		r.wantActions(theDeployment, "update", theMain, "update")
		r.once(anotherCluster)
		r.warns(`cluster "west"`)
		w.apply(config(p, "v2"))
		p.both(func(l *lab) { l.wantMain(nameOf("v2")) })
		p.east.wantSamePods(nameOf("v2"), pods)
		p.east.wantCustody(nameOf("v1"), release.CustodyRetained)
		w.settles()
		watch.Check(t, drain)
		w.destroy()
		p.both((*lab).wantNothingLeft)
	})
	t.Run("restored", func(t *testing.T) {
		p := onPair(t, clusters[0], clusters[1])
		w := p.east.inProcess()
		w.apply(config(p, "v1"))
		old := p.west.backUp()
		w.apply(config(p, "v2"))
		w.settles()
		pods, east := p.east.wantPods(nameOf("v2"), 1), p.east.watchMain()
		p.west.restore(old)
		west := p.west.watchMain()
		r := w.plan()
		r.wantActions(theDeployment, "update", theMain, "update")
		r.once(fromBackup)
		r.warns(`cluster "west"`, nameOf("v1"))
		w.apply(config(p, "v2"))
		p.both(func(l *lab) { l.wantMain(nameOf("v2")) })
		p.east.wantSamePods(nameOf("v2"), pods)
		w.settles()
		east.Check(t, drain)
		west.Check(t, drain)
	})
}
