package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

func forbidden() testcluster.Fault {
	return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "the roles have not been read yet")
}

func about(name string) func(*testcluster.Request) bool {
	return func(r *testcluster.Request) bool { return strings.HasSuffix(r.Path, "/"+name) }
}

// requestsFor are the requests to an object.
func (w wired) requestsFor(name string) (found []testcluster.Request) {
	for _, r := range w.proxy.Requests() {
		if about(name)(&r) {
			found = append(found, r)
		}
	}
	return found
}

// Whoever waits for a cluster to come back goes on with the first answer that
// anybody gets.
func TestFirstAnswerEndsAllWaiting(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	w.proxy.SetFault(onFirst(about("waits"), testcluster.Unavailable().SuggestsWaiting(time.Hour)))
	w.createDirect(t, "waits")
	done := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
	defer cancel()
	go func() { done <- w.Get(ctx, w.namespace, "waits", &corev1.ConfigMap{}) }()
	testcluster.Eventually(t, testcluster.Hang, "it to wait", func() error {
		if !w.outage.begun() {
			return errors.New("the answer is not there yet")
		}
		return nil
	})
	if err := w.Get(ctx, w.namespace, "asks", &corev1.ConfigMap{}); !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(testcluster.Hang):
		t.Fatal("it sleeps on although another request has been answered")
	}
	if found := w.requestsFor("waits"); len(found) != 2 {
		t.Fatalf("%d requests:\n%s", len(found), strings.Join(lines(found), "\n"))
	}
}

// begun says that somebody waits for an answer.
func (o *outage) begun() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.over != nil
}

// What fails while others are answered is not tried as often as they are.
func TestAnswersToOthersDoNotHurry(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	w.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if about("broken")(r) {
			return testcluster.Unavailable()
		}
		return testcluster.Fault{}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			_ = w.Get(ctx, w.namespace, "whole", &corev1.ConfigMap{})
		}
	}()
	if err := w.Get(ctx, w.namespace, "broken", &corev1.ConfigMap{}); err == nil {
		t.Error("no error")
	}
	if n := len(w.requestsFor("broken")); n > 12 {
		t.Errorf("%d requests in 3 s, and %d to others", n, len(w.requestsFor("whole")))
	}
}

// An API server that has just started refuses what it allows a moment later.
func TestRefusalsAfterAnOutageAreNotBelieved(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	v := w.View(w.namespace)
	like := &corev1.ConfigMap{}
	awaitView(t, v, like, "x", false)
	var refused atomic.Int32
	w.proxy.SetFault(func(_ *testcluster.Request, n int) testcluster.Fault {
		if n <= 2 {
			refused.Add(1)
			return forbidden()
		}
		return testcluster.Fault{}
	})
	w.proxy.Down(t)
	w.proxy.Reset()
	time.AfterFunc(time.Second, func() { w.proxy.Up(t) })
	if err := w.Create(t.Context(), configMap(w.namespace, "x")); err != nil {
		t.Error(err)
	}
	awaitView(t, v, like, "x", true)
	if refused.Load() == 0 {
		t.Error("nothing was refused")
	}
	testcluster.Eventually(t, testcluster.Hang, "the view to watch, rather than to poll", func() error {
		if n := w.proxy.OpenWatches(); n != 1 {
			return fmt.Errorf("%d watches are open", n)
		}
		return nil
	})
}

// Nor can it do everything: it makes no Service before it knows its address ranges. The
// outage itself is no part of the time that such an error is given.
func TestServerErrorsAfterAnOutageAreNotBelieved(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	if err := w.Create(t.Context(), configMap(w.namespace, "x")); err != nil {
		t.Fatal(err)
	}
	var failed atomic.Int32
	w.proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if !r.Write() || failed.Load() == 3 {
			return testcluster.Fault{}
		}
		failed.Add(1)
		return testcluster.Reject(http.StatusInternalServerError, metav1.StatusReasonInternalError, "failed to allocate a serviceIP: range is full")
	})
	w.proxy.Down(t)
	time.AfterFunc(internalErrorPatience+time.Second, func() { w.proxy.Up(t) })
	if err := w.Create(t.Context(), configMap(w.namespace, "y")); err != nil {
		t.Error(err)
	}
	if n := failed.Load(); n != 3 {
		t.Errorf("the server has failed %d times", n)
	}
}

// What is still refused when the cluster has settled is an answer.
func TestARefusalThatStaysIsReported(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	w.proxy.SetFault(testcluster.OnRequest(1, testcluster.ConnectionReset()))
	if err := w.Create(t.Context(), configMap(w.namespace, "x")); err != nil {
		t.Fatal(err)
	}
	w.proxy.Reset()
	w.proxy.SetFault(func(*testcluster.Request, int) testcluster.Fault { return forbidden() })
	ctx, cancel := context.WithTimeout(t.Context(), testcluster.Hang)
	defer cancel()
	if err := w.Create(ctx, configMap(w.namespace, "y")); !apierrors.IsForbidden(err) || ctx.Err() != nil {
		t.Errorf("want Forbidden, got %v", err)
	}
	if n := len(w.proxy.Requests()); n < 2 || n > 20 {
		t.Errorf("%d requests", n)
	}
	// From then on it is believed at once.
	<-time.After(time.Until(w.outage.settled()))
	w.proxy.Reset()
	if err := w.Create(ctx, configMap(w.namespace, "y")); !apierrors.IsForbidden(err) {
		t.Errorf("want Forbidden, got %v", err)
	}
	if n := len(w.proxy.Requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}
