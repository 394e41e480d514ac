//go:build e2e

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

// The rates that are offered, in requests a second.
const (
	freshRate = 1000
	keptRate  = 1200
)

// pause lets load run for a while, with nothing else going on.
func pause(t testing.TB, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// TestNoRequestIsLost releases v2, goes back to v1 and terminates v2, while
// requests come in: on a new connection each, and on connections that are kept
// alive. None may fail. Connections that are kept alive stay with the pods that
// they were opened to: a Service chooses for connections, not for requests.
// While the release is retained, they must not be disturbed; when it ends, its
// pods answer what is under way and close them, and clients open others.
func TestNoRequestIsLost(t *testing.T) {
	w := newWorkspace(t, newNamespace(t))
	v1, v2 := config{version: "v1", keep: 1}, config{version: "v2", keep: 1}
	w.mustApply(v1)
	first := w.release()
	url := w.address(v1)
	getEventually(t, url)
	moves := w.watchMoves(v1)
	endpoints := testcluster.Shared(t).WatchMain(t, w.namespace, v1.name())

	l := newLoad(t, url)
	var marks []mark
	note := func(at time.Time, format string, args ...any) {
		marks = append(marks, mark{at, fmt.Sprintf(format, args...)})
	}
	l.offer(freshRate, 200, newSingle)
	l.offer(keptRate, 40, newKeepAlive("opened to v1"))
	const calm = 3 * time.Second
	pause(t, calm)

	began := time.Now()
	note(began, "apply v2")
	w.mustApply(v2)
	second := w.release()
	forward := moves.to(t, second)
	note(forward, "Service to v2")
	note(time.Now(), "applied")
	// Apply is done when the endpoints have followed; kube-proxy reads them a
	// moment later, and nobody can ask it.
	w.untilAnsweredBy(url, "v2")
	l.offer(keptRate/4, 10, newKeepAlive("opened to v2"))
	pause(t, calm)

	back := time.Now()
	note(back, "apply v1")
	w.mustApply(v1)
	if w.release() != first {
		t.Errorf("going back is to %s, not to %s", w.release(), first)
	}
	backward := moves.to(t, first)
	note(backward, "Service to v1")
	note(time.Now(), "applied")
	pause(t, calm)

	ending := time.Now()
	note(ending, "terminate v2")
	last := v1
	last.keep = 0
	w.mustApply(last)
	note(time.Now(), "v2 is gone")
	if left := w.podsOf(second); len(left) > 0 {
		t.Errorf("%d pods are left of v2", len(left))
	}
	pause(t, calm)
	over := time.Now()
	answers := l.end()

	t.Logf("offered %d, answered: %s", l.offered, sum(answers))
	t.Logf("v1 alone:       %s", sum(between(answers, l.began, began)))
	t.Logf("to v2:          %s", sum(between(answers, began, back)))
	t.Logf("back to v1:     %s", sum(between(answers, back, ending)))
	t.Logf("v2 terminated:  %s", sum(between(answers, ending, over)))
	newest, oldest := switched(answers, began, back, "v1", "v2")
	t.Logf("v2: the Service was written %s after the start of apply; v2's first answer on a new connection came %s after that; "+
		"the last new connection to v1 was opened %s after it", ms(began, forward), ms(forward, newest), ms(forward, oldest))
	newest, oldest = switched(answers, back, ending, "v2", "v1")
	t.Logf("way back: the Service was written %s after the start of apply; v1's first answer on a new connection came %s after that; "+
		"the last new connection to v2 was opened %s after it, which is %s after the start of apply",
		ms(back, backward), ms(backward, newest), ms(backward, oldest), ms(back, oldest))
	l.draw(t, "blue-green", "v1 to v2, back to v1, v2 terminated: answers a second", answers, marks)

	l.mustNotFail(t, answers)
	if len(failedOf(answers)) > 0 {
		endpoints.NeverEmpty(t) // if they were, that is why
	}
	for _, a := range answers {
		if a.retried && a.ended.Before(ending) {
			t.Errorf("a retained release closed a connection, %s after the start", ms(l.began, a.ended))
		}
		if a.kind == kept && a.group == "opened to v1" && a.version != "v1" {
			t.Errorf("a connection to v1 was answered by %q, %s after the start", a.version, ms(l.began, a.ended))
			break
		}
	}
	for _, version := range []string{"v1", "v2"} {
		for _, k := range []kind{fresh, kept} {
			if !answered(answers, k, version) {
				t.Errorf("%s never answered on a %s", version, k)
			}
		}
	}
	if answered(between(answers, over.Add(-time.Second), over), kept, "v2") {
		t.Error("v2 still answers")
	}
	w.planIsEmpty(last)
	if _, err := w.destroy(); err != nil {
		t.Error(err)
	}
}

// untilAnsweredBy waits until a new connection leads to a version. kube-proxy
// may be slow: its watches, as the kubelet's, ask again up to a minute after an
// API server was restarted.
func (w *workspace) untilAnsweredBy(url, version string) {
	w.t.Helper()
	testcluster.Eventually(w.t, testcluster.Hang, version+" to answer", func() error {
		_, header, err := get(w.t.Context(), url)
		if got := header.Get("X-Version"); err == nil && got != version {
			err = fmt.Errorf("it is %s", got)
		}
		return err
	})
}

func answered(answers []answer, k kind, version string) bool {
	for _, a := range answers {
		if a.kind == k && a.version == version && a.err == nil {
			return true
		}
	}
	return false
}

func ms(from, to time.Time) time.Duration { return to.Sub(from).Round(time.Millisecond) }

// TestLoadNoticesWhatIsLost shows that the other tests' zeros mean something: a
// container that crashes takes requests with it.
func TestLoadNoticesWhatIsLost(t *testing.T) {
	c, namespace := shared(t), newNamespace(t)
	run(t, c, namespace, "crash", testnode.AppImage("v1"), withEnv("APP_CRASH_AFTER=5s"))
	url := "http://" + podAddress(t, c, namespace, "crash") + ":8080"
	getEventually(t, url)
	l := newLoad(t, url)
	l.offer(freshRate/4, 100, newSingle)
	l.offer(keptRate/4, 20, newKeepAlive("opened first"))
	testcluster.Eventually(t, testcluster.Hang, "the crash", func() error {
		status, err := container(t, c, namespace, "crash")
		if err == nil && status.RestartCount == 0 && status.State.Terminated == nil {
			err = errors.New("it is still running")
		}
		return err
	})
	lost := map[kind]int{}
	answers := l.end()
	for _, a := range failedOf(answers) {
		lost[a.kind]++
	}
	t.Logf("of %d requests, these failed: %v", len(answers), lost)
	if lost[fresh] == 0 || lost[kept] == 0 {
		t.Error("nobody noticed the crash")
	}
}

// TestRequestsUnderWayOutliveTheirRelease replaces a release that nothing
// keeps, and that is ended soon after the switch, while requests are under way
// that take ten seconds, and others come and go. All of them are answered, the
// slow ones by the version that they were sent to. (Connections that are kept
// alive are closed by the pods that end; what a client makes of that is said at
// keepAlive.do.)
func TestRequestsUnderWayOutliveTheirRelease(t *testing.T) {
	beside(t, loaded)
	w := newWorkspace(t, newNamespace(t))
	v1, v2 := config{version: "v1", drain: "1s"}, config{version: "v2", drain: "1s"}
	w.mustApply(v1)
	first := w.release()
	url := w.address(v1)
	getEventually(t, url)
	deleted := w.watchDeletion(first)

	l := newLoad(t, url)
	quick := newLoad(t, url)
	quick.offer(freshRate/4, 50, newSingle)
	quick.offer(keptRate/4, 20, newKeepAlive("opened to v1"))
	l.offer(20, 400, func() client { return slow{url: url + "/?ms=10000"} })
	pause(t, time.Second)
	began := time.Now()
	output, err := w.apply(v2)
	applied := time.Now()
	pause(t, time.Second)
	others, answers := quick.end(), l.end()
	if err != nil {
		t.Fatal(err)
	}
	l.mustNotFail(t, answers)
	quick.mustNotFail(t, others)
	at, ok := deleted()
	if !ok {
		t.Fatalf("v1 was not terminated:\n%s", output)
	}
	underWay, longest := 0, time.Duration(0)
	for _, a := range answers {
		if a.version == "v1" && a.began.Before(at) && a.ended.After(at) {
			underWay++
			longest = max(longest, a.ended.Sub(at))
		}
	}
	t.Logf("apply took %s; %s after its start, v1's pods were told to end with %d requests under way; the last answer came %s later",
		ms(began, applied), ms(began, at), underWay, longest.Round(time.Millisecond))
	t.Logf("slow requests: %s", sum(answers))
	t.Logf("the others: %s", sum(others))
	if underWay == 0 {
		t.Error("no request was under way when v1 was told to end")
	}
	if left := w.podsOf(first); len(left) > 0 {
		t.Errorf("%d pods are left of v1", len(left))
	}
	w.planIsEmpty(v2)
	if _, err := w.destroy(); err != nil {
		t.Error(err)
	}
}

// slow makes a request that takes long, on a connection of its own.
type slow struct{ url string }

func (slow) close() {}

func (s slow) do(*load) answer {
	a := answer{kind: fresh, began: time.Now()}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	// Not the load's context: what is under way at its end is waited for.
	ctx, cancel := context.WithTimeout(context.Background(), testcluster.Hang)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		a.err = err
		return a
	}
	response, err := client.Do(request)
	if err != nil {
		a.ended, a.err = time.Now(), err
		return a
	}
	defer func() { _ = response.Body.Close() }()
	_, a.err = io.Copy(io.Discard, response.Body)
	if a.err == nil && response.StatusCode != http.StatusOK {
		a.err = fmt.Errorf("%s", response.Status)
	}
	a.ended, a.version = time.Now(), response.Header.Get("X-Version")
	return a
}

// watchDeletion notes when the first pod of a release is told to end.
func (w *workspace) watchDeletion(release string) (at func() (time.Time, bool)) {
	w.t.Helper()
	watch, err := w.cluster.Client().CoreV1().Pods(w.namespace).Watch(w.t.Context(), metav1.ListOptions{LabelSelector: selectorLabel + "=" + release})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(watch.Stop)
	var mu sync.Mutex
	var seen time.Time
	go func() {
		for event := range watch.ResultChan() {
			pod, ok := event.Object.(*corev1.Pod)
			mu.Lock()
			if ok && pod.DeletionTimestamp != nil && seen.IsZero() {
				seen = time.Now()
			}
			mu.Unlock()
		}
	}()
	return func() (time.Time, bool) {
		mu.Lock()
		defer mu.Unlock()
		return seen, !seen.IsZero()
	}
}
