package cluster

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// Whatever hits one request once does not reach the caller.
func TestOneFaultIsInvisible(t *testing.T) {
	t.Parallel()
	faults := map[string]testcluster.Fault{
		"500":       testcluster.Reject(500, metav1.StatusReasonInternalError, "once"),
		"503":       testcluster.Unavailable(),
		"504":       testcluster.Reject(504, metav1.StatusReasonTimeout, "once"),
		"429":       testcluster.TooManyRequests(time.Second),
		"reset":     testcluster.ConnectionReset(),
		"lostreply": testcluster.LostReply(),
	}
	namespace := testcluster.Shared(t).Namespace(t)
	ctx := t.Context()
	verbs := map[string]func(t *testing.T, w wired, name string) (prepare, act func() error){
		"get": func(_ *testing.T, w wired, name string) (func() error, func() error) {
			m := configMap(w.namespace, name, "k", "v")
			return func() error { return w.Create(ctx, m) }, func() error {
				got := &corev1.ConfigMap{}
				if err := w.Get(ctx, w.namespace, name, got); err != nil || got.Data["k"] != "v" {
					return errors.Join(err, errors.New("data: "+got.Data["k"]))
				}
				return nil
			}
		},
		"list": func(_ *testing.T, w wired, name string) (func() error, func() error) {
			return func() error { return w.Create(ctx, configMap(w.namespace, name)) }, func() error {
				got := &corev1.ConfigMapList{}
				err := w.List(ctx, w.namespace, deploymentLabel+"="+name, got)
				if err == nil && len(got.Items) != 1 {
					err = errors.New("not found")
				}
				return err
			}
		},
		"create": func(_ *testing.T, w wired, name string) (func() error, func() error) {
			m := configMap(w.namespace, name, "k", "v")
			return func() error { return nil }, func() error {
				if err := w.Create(ctx, m); err != nil || m.UID == "" {
					return errors.Join(err, errors.New("uid "+string(m.UID)))
				}
				return nil
			}
		},
		"update": func(_ *testing.T, w wired, name string) (func() error, func() error) {
			m := configMap(w.namespace, name, "k", "v")
			return func() error { return w.Create(ctx, m) }, func() error {
				before := m.ResourceVersion
				m.Data["k"] = "w"
				if err := w.Update(ctx, m); err != nil {
					return err
				}
				if m.ResourceVersion == before || m.Data["k"] != "w" {
					return errors.New("not filled from the reply")
				}
				return nil
			}
		},
		"apply": func(_ *testing.T, w wired, name string) (func() error, func() error) {
			return func() error { return nil }, func() error {
				m := service(w.namespace, name)
				if err := w.Apply(ctx, m, false); err != nil || m.UID == "" {
					return errors.Join(err, errors.New("uid "+string(m.UID)))
				}
				return nil
			}
		},
		"delete": func(_ *testing.T, w wired, name string) (func() error, func() error) {
			m := configMap(w.namespace, name, "k", "v")
			return func() error { return w.Create(ctx, m) }, func() error {
				if err := w.Delete(ctx, m, metav1.DeletePropagationBackground); err != nil {
					return err
				}
				if err := w.Get(ctx, w.namespace, name, &corev1.ConfigMap{}); !apierrors.IsNotFound(err) {
					return errors.Join(err, errors.New("still there"))
				}
				return nil
			}
		},
	}
	for verb, operation := range verbs {
		for kind, fault := range faults {
			t.Run(verb+"/"+kind, func(t *testing.T) {
				t.Parallel()
				w := wire(t, namespace)
				prepare, act := operation(t, w, verb+"-"+kind)
				if err := prepare(); err != nil {
					t.Fatal(err)
				}
				w.proxy.Reset()
				w.proxy.SetFault(testcluster.OnRequest(1, fault))
				if err := act(); err != nil {
					t.Fatalf("%v\n%s", err, strings.Join(lines(w.proxy.Requests()), "\n"))
				}
				// The one that failed, the one that succeeded, at most one to
				// look what had become of it, and delete's own check here.
				if n := len(w.proxy.Requests()); n < 2 || n > 4 {
					t.Errorf("%d requests:\n%s", n, strings.Join(lines(w.proxy.Requests()), "\n"))
				}
			})
		}
	}
}

// A reply that is lost must not hide that the object is somebody else's.
func TestLostCreateOfAnothersObject(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	if err := w.Create(t.Context(), configMap(w.namespace, "claim", "owner", "somebody else")); err != nil {
		t.Fatal(err)
	}
	w.proxy.Reset()
	w.proxy.SetFault(testcluster.OnRequest(1, testcluster.ConnectionReset()))
	err := w.Create(t.Context(), configMap(w.namespace, "claim", "owner", "me"))
	if !apierrors.IsAlreadyExists(err) {
		t.Fatalf("want AlreadyExists, got %v", err)
	}
	if !strings.Contains(err.Error(), `cluster "prod"`) || !strings.Contains(err.Error(), "ConfigMap "+w.namespace+"/claim") {
		t.Errorf("the error does not say where: %v", err)
	}
	// Without a lost reply equal content is not ours either.
	if err := w.Create(t.Context(), configMap(w.namespace, "claim", "owner", "somebody else")); !apierrors.IsAlreadyExists(err) {
		t.Errorf("want AlreadyExists, got %v", err)
	}
}

func TestUpdateConflictIsForTheCaller(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	ctx := t.Context()
	m := configMap(w.namespace, "record", "k", "1")
	if err := w.Create(ctx, m); err != nil {
		t.Fatal(err)
	}
	stale := m.DeepCopy()
	m.Data = map[string]string{"k": "2", "other": "x"}
	m.Annotations = map[string]string{"a": "b"}
	if err := w.Update(ctx, m); err != nil {
		t.Fatal(err)
	}
	stale.Data["k"] = "3"
	w.proxy.Reset()
	if err := w.Update(ctx, stale); !apierrors.IsConflict(err) {
		t.Fatalf("want a conflict, got %v", err)
	}
	if n := len(w.proxy.Requests()); n != 1 {
		t.Errorf("%d requests for a conflict, want 1", n)
	}
	// What is no longer there is removed, as by a replacement.
	m.Data, m.Annotations = map[string]string{"k": "4"}, nil
	if err := w.Update(ctx, m); err != nil {
		t.Fatal(err)
	}
	if len(m.Data) != 1 || m.Data["k"] != "4" || len(m.Annotations) != 0 {
		t.Errorf("not replaced: %v %v", m.Data, m.Annotations)
	}
	if manager := m.ManagedFields[0].Manager; manager != "switchback" {
		t.Errorf("field manager %q", manager)
	}
}

func TestWhatCannotHealIsNotRetried(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	for code, reason := range map[int]metav1.StatusReason{
		400: metav1.StatusReasonBadRequest, 403: metav1.StatusReasonForbidden, 404: metav1.StatusReasonNotFound,
		410: metav1.StatusReasonGone, 422: metav1.StatusReasonInvalid, 501: "NotImplemented",
	} {
		w.proxy.Reset()
		w.proxy.SetFault(func(*testcluster.Request, int) testcluster.Fault {
			return testcluster.Reject(code, reason, "verbatim")
		})
		err := w.Create(t.Context(), configMap(w.namespace, "x"))
		if err == nil || !strings.Contains(err.Error(), "verbatim") || apierrors.ReasonForError(err) != reason {
			t.Errorf("%d: %v", code, err)
		}
		if n := len(w.proxy.Requests()); n != 1 {
			t.Errorf("%d: %d requests", code, n)
		}
	}
}

// A failing webhook is reported as a plain 500.
func TestInternalErrorIsShownSoon(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	w.proxy.SetFault(func(*testcluster.Request, int) testcluster.Fault {
		return testcluster.Reject(500, metav1.StatusReasonInternalError, `failed calling webhook "policy.example.com"`)
	})
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), testcluster.Hang)
	defer cancel()
	err := w.Create(ctx, configMap(w.namespace, "x"))
	if err == nil || !strings.Contains(err.Error(), `failed calling webhook "policy.example.com"`) {
		t.Errorf("got %v", err)
	}
	if n := len(w.proxy.Requests()); time.Since(start) < time.Second || n > triesWithin(4*time.Second) {
		t.Errorf("after %d tries in %s", n, time.Since(start))
	}
}

// triesWithin is how often a request can be tried within a patience, at most: the
// same on any machine, since a slow one only tries less often.
func triesWithin(patience time.Duration) int {
	n := 1
	for wait := time.Duration(0); wait <= patience; n++ {
		wait += min(maxDelay, firstDelay<<min(n-1, 10)) / 2 // the jitter's least
	}
	return n - 1
}

func TestUnavailableForTenSeconds(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	until := time.Now().Add(10 * time.Second)
	w.proxy.SetFault(func(*testcluster.Request, int) testcluster.Fault {
		if time.Now().Before(until) {
			return testcluster.Unavailable()
		}
		return testcluster.Fault{}
	})
	if err := w.Create(t.Context(), configMap(w.namespace, "x")); err != nil {
		t.Error(err)
	}
	if n := len(w.proxy.Requests()); n > 30 {
		t.Errorf("%d requests in 10 s: no backoff", n)
	}
}

func TestServerRestart(t *testing.T) {
	t.Parallel()
	w := wire(t, testcluster.Shared(t).Namespace(t))
	w.proxy.Down(t)
	time.AfterFunc(2*time.Second, func() { w.proxy.Up(t) })
	if err := w.Create(t.Context(), configMap(w.namespace, "x")); err != nil {
		t.Error(err)
	}
}

func TestInterruptionSaysWhyAndWhat(t *testing.T) {
	t.Parallel()
	w := wire(t, "default")
	why := errors.New("timeouts.create of 1s is over")
	ctx, over := testcluster.Deadline(t, why)
	w.proxy.SetFault(func(_ *testcluster.Request, n int) testcluster.Fault {
		if n == 2 { // the first one was answered
			over()
		}
		return testcluster.Unavailable()
	})
	err := w.Get(ctx, w.namespace, "x", &corev1.ConfigMap{})
	if !errors.Is(err, why) || !errors.Is(err, context.DeadlineExceeded) || !apierrors.IsServiceUnavailable(err) {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(err.Error(), why.Error()) || !strings.Contains(err.Error(), "unable to handle the request") {
		t.Errorf("got %v", err)
	}
}

func TestUnauthorizedIsFinalForAStaticToken(t *testing.T) {
	t.Parallel()
	w := wire(t, "default")
	w.proxy.SetFault(func(*testcluster.Request, int) testcluster.Fault {
		return testcluster.Reject(401, metav1.StatusReasonUnauthorized, "Unauthorized")
	})
	err := w.Get(t.Context(), w.namespace, "x", &corev1.ConfigMap{})
	var credential *CredentialError
	if !errors.As(err, &credential) || !apierrors.IsUnauthorized(err) || !strings.Contains(err.Error(), w.Host()) {
		t.Errorf("got %v", err)
	}
	if n := len(w.proxy.Requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// silent accepts connections and never says a word.
func silent(t *testing.T) (addr string, accepted *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted = &atomic.Int32{}
	var mu sync.Mutex
	var open []net.Conn
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range open {
			_ = c.Close()
		}
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
		}
	}()
	return l.Addr().String(), accepted
}

func TestDeadClusterCostsOneDialARun(t *testing.T) {
	t.Parallel()
	addr, accepted := silent(t)
	c := connect(t, Config{Host: "https://" + addr, Token: "t"})
	start := time.Now()
	var group sync.WaitGroup
	for i := range 40 {
		group.Go(func() {
			var err error
			switch i % 3 {
			case 0:
				err = c.Get(t.Context(), "default", "x", &corev1.ConfigMap{})
			case 1:
				_, err = c.View("default").Get(t.Context(), &corev1.Service{}, "x")
			case 2:
				_, err = c.Preflight(t.Context(), "default", []Feature{FeatureRefresh})
			}
			var unreachable interface{ Unreachable() bool }
			if !errors.As(err, &unreachable) || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), `"prod"`) {
				t.Errorf("got %v", err)
			}
		})
	}
	group.Wait()
	if d := time.Since(start); d < connectPatience-time.Second {
		t.Errorf("given up after %s", d)
	}
	if err := c.Create(t.Context(), configMap("default", "x")); err == nil {
		t.Error("it answers the second time")
	}
	if n := accepted.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestRefusedConnection(t *testing.T) {
	t.Parallel()
	const nobody = "https://127.0.0.1:1" // and no other test can come to listen there
	c := connect(t, Config{Host: nobody, Token: "t"})
	var dials atomic.Int32
	dial := c.transport.DialContext
	c.transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials.Add(1)
		return dial(ctx, network, addr)
	}
	var unreachable *UnreachableError
	if err := c.Check(t.Context()); !errors.As(err, &unreachable) {
		t.Errorf("got %v", err)
	}
	if n := int(dials.Load()); n < 2 || n > triesWithin(5*time.Second) {
		t.Errorf("given up after %d dials", n)
	}
	// A caller's own end does not wait for the others.
	c = connect(t, Config{Host: nobody, Token: "t"})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Check(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestHalfOpenRequest(t *testing.T) {
	t.Parallel()
	w := wire(t, "default")
	w.proxy.SetFault(testcluster.OnRequest(1, testcluster.Blackhole()))
	tries := 0
	// The same as Get, with a shorter timeout for the request that is not answered.
	again, err := w.retry(t.Context(), readTimeout, func(ctx context.Context) error {
		if tries++; tries == 1 {
			impatient, cancel := context.WithTimeoutCause(ctx, 300*time.Millisecond, errRequestTimeout)
			defer cancel()
			ctx = impatient
		}
		return w.request(http.MethodGet, resources[typeOf[corev1.Namespace]()], "", "default").Do(ctx).Error()
	})
	if err != nil || !again || tries != 2 {
		t.Errorf("again %v, %d tries: %v", again, tries, err)
	}
}
