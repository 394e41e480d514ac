package cluster

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	backoff "k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/switchback-dev/terraform-provider-switchback/internal/wait"
)

const (
	managedLabel     = "app.kubernetes.io/managed-by"
	managedBy        = "switchback"
	managedSelector  = managedLabel + "=" + managedBy
	deploymentLabel  = "switchback.dev/deployment"
	applicationLabel = "switchback.dev/application"

	// pollEvery is how often a kind is listed that may be listed but not
	// watched, while somebody waits.
	pollEvery = 2 * time.Second
	// failureLasts is how long a refused LIST is not asked for again: a refresh
	// of many resources asks for the same one.
	failureLasts = 10 * time.Second
)

// View is a watched cache of one namespace's objects that carry our label,
// shared by everything in the run. Each kind is listed and watched from its
// first use until the cluster is closed. So is what Select is asked for. What
// this run writes is in it at once.
type View struct {
	c         *Cluster
	namespace string

	mu      sync.Mutex
	kinds   map[kindKey]*kindView
	waiting map[string]chan struct{} // who waits for a change, by application; empty: of anything
}

// kindKey is what one LIST and WATCH is about.
type kindKey struct {
	kind     reflect.Type
	selector selector
}

// selector is by labels and by fields, in the API's words.
type selector struct{ labels, fields string }

// View is the shared cache of a namespace. No request is made before its first
// use.
func (c *Cluster) View(namespace string) *View {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.views[namespace]
	if v == nil {
		v = &View{c: c, namespace: namespace, kinds: map[kindKey]*kindView{}, waiting: map[string]chan struct{}{}}
		c.views[namespace] = v
	}
	return v
}

// Changes are those that may matter to an application: of its own objects, of
// those of none, and of what Select selects. No application: all changes.
func (v *View) Changes(application string) wait.Changes { return changes{v, application} }

type changes struct {
	view        *View
	application string
}

// Changed is closed at the next of the changes.
func (c changes) Changed() <-chan struct{} {
	c.view.mu.Lock()
	defer c.view.mu.Unlock()
	changed := c.view.waiting[c.application]
	if changed == nil {
		changed = make(chan struct{})
		c.view.waiting[c.application] = changed
	}
	return changed
}

// broadcast wakes who waits for a change that is about objects, or all.
func (v *View) broadcast(about ...Object) {
	v.mu.Lock()
	defer v.mu.Unlock()
	woken := []string{""}
	for _, o := range about {
		if o != nil {
			woken = append(woken, o.GetLabels()[applicationLabel])
		}
	}
	if len(woken) == 1 || slices.Contains(woken[1:], "") { // it may be anybody's
		woken = slices.Collect(maps.Keys(v.waiting))
	}
	for _, application := range woken {
		if changed := v.waiting[application]; changed != nil {
			close(changed)
			delete(v.waiting, application)
		}
	}
}

func (v *View) awaited() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.waiting) > 0
}

// Get returns nil where there is no such object. The result is shared: it must
// not be modified. like tells the kind.
func (v *View) Get(ctx context.Context, like Object, name string) (Object, error) {
	k, err := v.synced(ctx, like, selector{labels: managedSelector})
	if err != nil {
		return nil, err
	}
	return k.get(name), nil
}

// List returns the objects of like's kind whose labels include all of labels,
// in no order.
func (v *View) List(ctx context.Context, like Object, labels map[string]string) ([]Object, error) {
	k, err := v.synced(ctx, like, selector{labels: managedSelector})
	if err != nil {
		return nil, err
	}
	return k.list(labels), nil
}

// Select returns the objects of like's kind that a label selector and a field
// selector select, whether they carry our label or not. Each pair is listed and
// watched for itself, so it is for what belongs to one thing of somebody else's,
// and for what nobody labels, as Events.
func (v *View) Select(ctx context.Context, like Object, labels, fields string) ([]Object, error) {
	k, err := v.synced(ctx, like, selector{labels, fields})
	if err != nil {
		return nil, err
	}
	return k.list(nil), nil
}

// synced waits for the kind's first LIST.
func (v *View) synced(ctx context.Context, like Object, which selector) (*kindView, error) {
	if err := v.c.Check(ctx); err != nil {
		return nil, err
	}
	k, err := v.kind(like, which)
	if err != nil {
		return nil, err
	}
	for {
		ready, err := k.state()
		if ready == nil {
			return k, err
		}
		select {
		case <-ready:
		case <-ctx.Done():
			return nil, &InterruptedError{context.Cause(ctx), ctx.Err(), fmt.Errorf("%s of namespace %s had not been read", k.res.plural, v.namespace)}
		}
	}
}

func (v *View) kind(like Object, which selector) (*kindView, error) {
	res, err := resourceOf(like)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	t := kindKey{reflect.TypeOf(like), which}
	k := v.kinds[t]
	if k == nil {
		k = &kindView{v: v, res: res, like: like, selector: which, objects: map[string]Object{}, byDeployment: map[string]map[string]Object{}}
		v.kinds[t] = k
	}
	return k, nil
}

// kindView is one kind of a view, and the store that client-go's reflector
// fills.
type kindView struct {
	v    *View
	res  resource
	like Object

	selector selector

	mu           sync.RWMutex
	objects      map[string]Object
	byDeployment map[string]map[string]Object
	seen         string // the resourceVersion that the LIST and the WATCH have come to

	ready     chan struct{} // not nil while a LIST is awaited; closed when it is done
	running   bool
	everSaw   bool // the first LIST has been stored
	err       error
	failed    time.Time
	polling   bool // watching is forbidden
	listed    time.Time
	pollAgain chan struct{}
}

// state starts what does not run, and returns what to wait for: nil means that
// the store, or the error, can be used.
func (k *kindView) state() (<-chan struct{}, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.err != nil && (k.running || time.Since(k.failed) < failureLasts):
		return nil, k.err
	case !k.running:
		k.running, k.err, k.everSaw = true, nil, false
		k.ready, k.pollAgain = make(chan struct{}), make(chan struct{}, 1)
		go k.run(k.v.c.ctx)
		return k.ready, nil
	case k.polling && time.Since(k.listed) > pollEvery && k.ready == nil:
		k.ready = make(chan struct{}) // a read in between must be fresh too
		select {
		case k.pollAgain <- struct{}{}:
		default: // it is about to list anyway
		}
		return k.ready, nil
	case k.ready != nil:
		return k.ready, nil
	}
	return nil, nil
}

// run lists and watches until the cluster is closed or this is refused.
func (k *kindView) run(ctx context.Context) {
	ctx = klog.NewContext(ctx, klog.Logger{}) // what matters is returned, not logged
	var refused, unlisted error               // of the last WATCH, where it cannot heal; of the last LIST
	watcher := &cache.ListWatch{
		ListWithContextFunc: func(_ context.Context, options metav1.ListOptions) (runtime.Object, error) {
			list, err := k.fetch(ctx, options)
			unlisted = err
			return list, err
		},
		WatchFuncWithContext: func(_ context.Context, options metav1.ListOptions) (watch.Interface, error) {
			w, err := k.watch(ctx, options)
			if permanent(err) {
				refused = err
			}
			return w, err
		},
	}
	r := cache.NewReflectorWithOptions(watcher, k.like, k, cache.ReflectorOptions{
		Name:    "switchback",
		Backoff: &backoff.Backoff{Duration: firstDelay, Factor: 2, Jitter: 0.5, Steps: 7, Cap: maxDelay},
	})
	for n := 0; ; n++ {
		refused, unlisted = nil, nil
		start := time.Now()
		_ = r.ListAndWatchWithContext(ctx) // what matters of its error is in refused and unlisted
		if ctx.Err() != nil {
			k.fail(fmt.Errorf("cluster %q is closed", k.v.c.name))
			return
		}
		listed := k.sawSince(start)
		switch {
		case unlisted != nil && (permanent(unlisted) || !k.saw()):
			k.fail(unlisted) // refused, or after all the patience that a first read has
			return
		case listed && refused != nil:
			if err := k.poll(ctx); err != nil {
				k.fail(err)
				return
			}
			continue
		}
		if time.Since(start) > maxDelay {
			n = 0
		}
		d := min(maxDelay, firstDelay<<min(n, 10))
		timer := time.NewTimer(d/2 + rand.N(d/2+1))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// permanent says that asking again would get the same answer. 404, 405 and 410
// are not among the things that happen to our kinds but in passing.
func permanent(err error) bool {
	code, _ := answer(err)
	return err != nil && (code == 401 || code == 403 || code == 400)
}

func (k *kindView) fetch(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	options.LabelSelector, options.FieldSelector = k.selector.labels, k.selector.fields
	options.Limit = 0 // one request; scoped to what is ours
	list := k.res.newList()
	_, err := k.v.c.list(ctx, k.res, k.v.namespace, options, list)
	return list, err
}

// watch opens a watch under the retry policy; what breaks later is the
// reflector's matter.
func (k *kindView) watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	options.LabelSelector, options.FieldSelector = k.selector.labels, k.selector.fields
	options.Watch = true
	c := k.v.c
	var w watch.Interface
	_, err := c.bare(ctx, call{"watch", k.res, k.v.namespace, "", readTimeout}, func(attempt context.Context) error {
		// The attempt's deadline must not end the watch that it opened.
		opened, cancel := context.WithCancel(context.WithoutCancel(attempt))
		stop := context.AfterFunc(attempt, cancel)
		found, err := c.request("GET", k.res, k.v.namespace, "").VersionedParams(&options, parameterCodec).Watch(opened)
		if err != nil || !stop() {
			cancel()
			if err == nil {
				found.Stop()
				err = context.Cause(attempt)
			}
			return err
		}
		unhook := context.AfterFunc(ctx, cancel)
		w = &openWatch{found, func() { unhook(); cancel() }}
		return nil
	})
	return w, err
}

type openWatch struct {
	watch.Interface
	cancel func()
}

func (w *openWatch) Stop() {
	w.cancel() // first: what breaks after that is no outage
	w.Interface.Stop()
}

// poll stands in for a watch that is not allowed: it lists every pollEvery
// while somebody waits, and when somebody reads. It returns when listing is
// refused too.
func (k *kindView) poll(ctx context.Context) error {
	k.mu.Lock()
	k.polling = true
	k.mu.Unlock()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		asked := false
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-k.pollAgain:
			asked = true
		case <-tick.C:
		}
		if !asked && !k.v.awaited() {
			continue
		}
		list, err := k.fetch(ctx, metav1.ListOptions{})
		if permanent(err) {
			return err
		}
		if err != nil {
			k.mu.Lock()
			k.release() // stale, as with a watch that is cut off
			k.mu.Unlock()
			continue
		}
		items, version, err := extract(list)
		if err != nil {
			return err
		}
		if err := k.Replace(items, version); err != nil {
			return err
		}
		// Whoever really waits asks again; who does not is not polled for.
		k.v.broadcast()
	}
}

// extract takes a list's items, and its resourceVersion.
func extract(list runtime.Object) ([]any, string, error) {
	v := reflect.ValueOf(list).Elem().FieldByName("Items")
	of, ok := list.(metav1.ListMetaAccessor)
	if !v.IsValid() || !ok {
		return nil, "", fmt.Errorf("%T has no items", list)
	}
	items := make([]any, v.Len())
	for i := range items {
		items[i] = v.Index(i).Addr().Interface()
	}
	return items, of.GetListMeta().GetResourceVersion(), nil
}

func (k *kindView) fail(err error) {
	k.mu.Lock()
	k.err, k.failed, k.running, k.polling = err, time.Now(), false, false
	k.release()
	k.mu.Unlock()
	k.v.broadcast() // who waits for a change must learn that none will come
}

// changed wakes who waits for a change of an object, of which these are the former
// and the present one. What only Select sees has labels that mean nothing here.
func (k *kindView) changed(former, now Object) {
	if k.selector.labels != managedSelector {
		k.v.broadcast()
		return
	}
	k.v.broadcast(former, now)
}

// release lets those go on who wait for a LIST. k.mu is held.
func (k *kindView) release() {
	if k.ready != nil {
		close(k.ready)
		k.ready = nil
	}
}

func (k *kindView) saw() bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.everSaw
}

func (k *kindView) sawSince(t time.Time) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.everSaw && !k.listed.Before(t)
}
