package rollout_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// nodeOf plays the node of a release whose pods never become ready by
// themselves: it tells, by a clock that is hours ahead of ours, that the image was
// pulled and the pod became ready.
func (l *life) nodeOf(name string, events bool) {
	l.t.Helper()
	ctx, client := l.t.Context(), l.cluster.Client().CoreV1()
	var pod *corev1.Pod
	testcluster.Eventually(l.t, testcluster.Hang, "a pod of "+name, func() error {
		pods, err := client.Pods(l.namespace).List(ctx, metav1.ListOptions{LabelSelector: release.LabelDeployment + "=" + name})
		if err != nil {
			return err
		}
		if len(pods.Items) != 1 || len(pods.Items[0].Status.ContainerStatuses) == 0 {
			return fmt.Errorf("there are %+v", pods.Items)
		}
		pod = &pods.Items[0]
		return nil
	})
	at := func(s float64) metav1.Time {
		return metav1.NewTime(time.Now().Truncate(time.Second).Add(3*time.Hour + time.Duration(s*float64(time.Second))))
	}
	container := pod.Spec.Containers[0].Name
	tell := func(reason, message string, when metav1.Time) {
		_, err := client.Events(l.namespace).Create(ctx, &corev1.Event{
			ObjectMeta:     metav1.ObjectMeta{GenerateName: pod.Name + "-"},
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: l.namespace, Name: pod.Name, UID: pod.UID, FieldPath: "spec.containers{" + container + "}"},
			Reason:         reason, Message: message, Type: corev1.EventTypeNormal, FirstTimestamp: when, LastTimestamp: when, Count: 1,
		}, metav1.CreateOptions{})
		if err != nil {
			l.t.Error(err)
		}
	}
	if events {
		tell("Pulling", `Pulling image "x"`, at(0))
		tell("Pulled", `Successfully pulled image "x" in 4.2s (7.5s including waiting). Image size: 4 bytes.`, at(8))
	}
	pod.Status.StartTime = new(at(0))
	pod.Status.ContainerStatuses[0].State.Running.StartedAt = at(8)
	pod.Status.ContainerStatuses[0].Ready = true
	for i, c := range pod.Status.Conditions {
		switch c.Type {
		case corev1.PodReady, corev1.ContainersReady:
			pod.Status.Conditions[i].Status, pod.Status.Conditions[i].LastTransitionTime = corev1.ConditionTrue, at(19)
		case corev1.PodScheduled:
			pod.Status.Conditions[i].LastTransitionTime = metav1.NewTime(pod.CreationTimestamp.Add(2 * time.Second))
		default:
		}
	}
	if _, err := client.Pods(l.namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{}); err != nil {
		l.t.Error(err)
	}
}

// words are the parts of durations, - where one is not known.
func words(d release.Durations) string {
	var all []string
	for _, part := range release.Parts() {
		text := "-"
		if of := d.Of(part); of != nil {
			text = of.String()
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

// eventReads are the requests for events of pods.
func eventReads(l *life) int {
	n := 0
	for _, r := range l.proxy.Requests() {
		if r.Method == http.MethodGet && r.Path == "/api/v1/namespaces/"+l.namespace+"/events" {
			n++
		}
	}
	return n
}

// TestDurations: what the cluster tells of a start is in the result, the record
// and the history, and costs one request.
func TestDurations(t *testing.T) {
	t.Parallel()
	c := testcluster.Shared(t)
	for _, tc := range []struct {
		name   string
		events bool
		fault  testcluster.Fault // on reading events
		want   string
	}{
		{"all is told", true, testcluster.Fault{}, "2s - 7.5s 11s"},
		{"the image was there", false, testcluster.Fault{}, "2s - - 11s"},
		{"events are forbidden", true, testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "no"), "2s - - 11s"},
		{"events are not answered", true, testcluster.Blackhole(), "2s - - 11s"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			l := newLife(t, c)
			l.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
				if r.Method == http.MethodGet && strings.HasSuffix(r.Path, "/events") {
					return tc.fault
				}
				return testcluster.Fault{}
			})
			spec := l.spec("v1", "demo/unready")
			name := spec.Content.Name()
			p := l.process(t)
			timing := faultyTiming()
			timing.Listen = testcluster.Hang // a slow start is listened to: more reads
			if tc.name == "events are not answered" {
				timing.Patience = 8 * time.Second
			}
			p.engine = rollout.New(timing)
			ended := make(chan error, 1)
			var done rollout.Deployed
			go func() {
				var err error
				done, err = p.engine.Deploy(t.Context(), p.on, spec)
				ended <- err
			}()
			l.nodeOf(name, tc.events)
			if err := <-ended; err != nil {
				t.Fatalf("%v\n%s", err, l.log())
			}
			if n := eventReads(l); n != 1 {
				t.Errorf("events were read %d times", n)
			}
			if got := words(done.Durations); got != tc.want || done.Durations.Total <= 0 || done.Durations.Total > time.Hour {
				t.Errorf("it took %s: %s, want %s", done.Durations.Total, got, tc.want)
			}
			if got := words(done.Clusters[0].Durations); got != tc.want || done.Clusters[0].Durations.Total > done.Durations.Total {
				t.Errorf("on its cluster: %+v", done.Clusters[0])
			}
			if got := l.recordOf(name).Durations; words(got) != tc.want || got.Total <= 0 {
				t.Errorf("the record says %s", words(got))
			}
			entries := l.history()
			if len(entries) != 1 || words(entries[0].Durations) != tc.want || entries[0].Durations.Total <= 0 {
				t.Errorf("the history says %+v", entries)
			}
			l.wantEvent(name, release.EventStarted, "queue 2s", "startup 11s")
		})
	}
}

// recordOf is a release's record.
func (l *life) recordOf(name string) *release.Record {
	l.t.Helper()
	cm, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Get(l.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	record, err := release.ParseRecord(cm.Data)
	if err != nil {
		l.t.Fatal(err)
	}
	return record
}

// TestDurationsOfWhatRunsAlready: nothing is started, so that there are no parts;
// and the history does not count it among the releases.
func TestDurationsOfWhatRunsAlready(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	spec := l.spec("v1", "demo/api")
	p := l.process(t)
	first, err := p.engine.Deploy(t.Context(), p.on, spec)
	if err != nil {
		t.Fatal(err)
	}
	if first.Durations.Queue == nil || first.Durations.Startup == nil || first.Durations.ImagePull != nil || first.Durations.Build != nil {
		t.Errorf("a simulated start took %s", words(first.Durations))
	}
	l.proxy.Reset()
	p = l.process(t)
	timing := faultyTiming()
	timing.Listen = testcluster.Hang
	p.engine = rollout.New(timing)
	again, err := p.engine.Deploy(t.Context(), p.on, spec)
	if err != nil {
		t.Fatal(err)
	}
	if got := words(again.Durations); got != "- - - -" || again.Durations.Total <= 0 || eventReads(l) != 0 {
		t.Errorf("adopting took %s: %s, with %d reads of events", again.Durations.Total, got, eventReads(l))
	}
	l.owners["v1"] = again.Owner
	stopped, err := p.engine.Stop(t.Context(), p.action("v1"))
	if got := words(stopped.Durations); got != "- - - -" || err != nil || stopped.Durations.Total <= 0 {
		t.Errorf("stopping took %s: %s, %v", stopped.Durations.Total, got, err)
	}
	started, err := p.engine.Start(t.Context(), p.action("v1"))
	if err != nil || started.Durations.Queue == nil || started.Durations.Startup == nil {
		t.Errorf("starting took %s: %v", words(started.Durations), err)
	}
	restarted, err := p.engine.Restart(t.Context(), p.action("v1"))
	if err != nil || restarted.Durations.Queue == nil || restarted.Durations.Startup == nil {
		t.Errorf("restarting took %s: %v", words(restarted.Durations), err)
	}
	var totals []string
	for _, e := range l.history() {
		totals = append(totals, fmt.Sprintf("%s %t", e.Operation, e.Durations.Total > 0))
	}
	if got := strings.Join(totals, ", "); got != "deploy true, stop false, start true, restart true" {
		t.Errorf("the history has %s", got)
	}
}

// took lets every release that the history knows have taken so long.
func (l *life) took(each time.Duration) {
	l.t.Helper()
	configMaps := l.cluster.Client().CoreV1().ConfigMaps(l.namespace)
	cm, err := configMaps.Get(l.t.Context(), release.MainName("api"), metav1.GetOptions{})
	must(l.t, err)
	history, err := release.ParseHistory(cm.Data)
	must(l.t, err)
	for i := range history.Entries {
		history.Entries[i].Durations.Total = each
	}
	cm.Data = release.AppendHistory(cm.Data, history.Entries...)
	_, err = configMaps.Update(l.t.Context(), cm, metav1.UpdateOptions{})
	must(l.t, err)
}

// TestDurationBudgetIsToldOf: by the whole, and by what was usual.
func TestDurationBudgetIsToldOf(t *testing.T) {
	t.Parallel()
	l := newLife(t, testcluster.Shared(t))
	deploy := func(version, image string, budget release.DurationBudget) string {
		t.Helper()
		p := l.process(t)
		spec := l.spec(version, image)
		spec.DurationBudget = budget
		done, err := p.engine.Deploy(t.Context(), p.on, spec)
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		for _, n := range done.Notices {
			if strings.Contains(n.Summary, "budget") {
				told = append(told, n.Summary+": "+n.Detail)
			}
		}
		return strings.Join(told, "\n")
	}
	twice := release.DurationBudget{Factor: 1.5}
	for _, v := range []string{"v1", "v2", "v3"} {
		deploy(v, "demo/api", release.DurationBudget{})
	}
	l.took(time.Hour) // what is usual does not depend on how fast this machine is
	if told := deploy("v4", "demo/api", twice); told != "" {
		t.Errorf("within what is usual: %s", told)
	}
	l.took(time.Millisecond)
	if told := deploy("v1", "demo/api", twice); told != "" {
		t.Errorf("adopting: %s", told)
	}
	told := deploy("v6", "demo/api", twice)
	for _, text := range []string{"Deployment took longer than its budget", l.name("v6") + " (version v6)", "times the median of the last releases there", `On cluster "prod"`} {
		if !strings.Contains(told, text) {
			t.Errorf("it does not say %q:\n%s", text, told)
		}
	}
	told = deploy("v5", "demo/api", release.DurationBudget{Total: time.Millisecond})
	if !strings.Contains(told, "`duration_budget.total` is 0s") && !strings.Contains(told, "`duration_budget.total` is 1ms") {
		t.Errorf("it says:\n%s", told)
	}
}
