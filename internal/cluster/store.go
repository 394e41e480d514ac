package cluster

import (
	"fmt"
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/util/resourceversion"
)

func (k *kindView) get(name string) Object {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if o, ok := k.objects[name]; ok {
		return o
	}
	return nil
}

func (k *kindView) list(labels map[string]string) []Object {
	k.mu.RLock()
	defer k.mu.RUnlock()
	from := k.objects
	if name, ok := labels[deploymentLabel]; ok {
		from = k.byDeployment[name]
	}
	var found []Object
	for _, o := range from {
		if includes(o.GetLabels(), labels) {
			found = append(found, o)
		}
	}
	return found
}

func includes(have, want map[string]string) bool {
	for key, value := range want {
		if got, ok := have[key]; !ok || got != value {
			return false
		}
	}
	return true
}

// wrote lets the views of this run have what it has just written: the watch may
// bring it a moment later, and who reads it in between must not see what was
// there before. obj is as the API server answered, where there was no error.
func (c *Cluster) wrote(obj Object, err error) {
	if err != nil || obj.GetLabels()[managedLabel] != managedBy {
		return
	}
	c.mu.Lock()
	view := c.views[obj.GetNamespace()]
	c.mu.Unlock()
	if view == nil {
		return
	}
	view.mu.Lock()
	k := view.kinds[kindKey{reflect.TypeOf(obj), selector{labels: managedSelector}}]
	view.mu.Unlock()
	if k != nil {
		k.learn(obj)
	}
}

// learn stores what was written, unless the watch has come as far already: then
// it has brought it, or what became of it.
func (k *kindView) learn(written Object) {
	k.mu.Lock()
	if !k.everSaw || !later(written.GetResourceVersion(), k.seen) {
		k.mu.Unlock()
		return
	}
	old, now := k.objects[written.GetName()], written.DeepCopyObject().(Object)
	k.put(now)
	k.mu.Unlock()
	k.changed(old, now)
}

// later says that a resourceVersion comes after another one, of the same kind.
func later(a, b string) bool {
	if b == "" {
		return true
	}
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order > 0
}

// The reflector's store. Its objects are never changed in place.

// Add stores a new object.
func (k *kindView) Add(obj any) error { return k.Update(obj) }

// Update stores an object.
func (k *kindView) Update(obj any) error {
	o, ok := obj.(Object)
	if !ok {
		return fmt.Errorf("%T is not an object", obj)
	}
	k.mu.Lock()
	old := k.objects[o.GetName()]
	if later(o.GetResourceVersion(), k.seen) {
		k.seen = o.GetResourceVersion()
	}
	if old != nil && later(old.GetResourceVersion(), o.GetResourceVersion()) {
		k.mu.Unlock()
		return nil // we wrote what came after
	}
	k.put(o)
	k.mu.Unlock()
	if !same(old, o) {
		k.changed(old, o)
	}
	return nil
}

// Delete drops an object.
func (k *kindView) Delete(obj any) error {
	o, ok := obj.(Object)
	if !ok {
		return fmt.Errorf("%T is not an object", obj)
	}
	k.mu.Lock()
	old := k.objects[o.GetName()]
	if later(o.GetResourceVersion(), k.seen) {
		k.seen = o.GetResourceVersion()
	}
	if old != nil && later(old.GetResourceVersion(), o.GetResourceVersion()) {
		old = nil // another one has its name, which we have made
	}
	k.drop(old)
	k.mu.Unlock()
	if old != nil {
		k.changed(old, nil)
	}
	return nil
}

// Replace is the result of a LIST, and of what moment.
func (k *kindView) Replace(items []any, version string) error {
	k.mu.Lock()
	before := k.objects
	k.seen = version
	k.objects, k.byDeployment = make(map[string]Object, len(items)), map[string]map[string]Object{}
	changed := len(before) != len(items)
	for _, item := range items {
		o, ok := item.(Object)
		if !ok {
			k.mu.Unlock()
			return fmt.Errorf("%T is not an object", item)
		}
		k.put(o)
		changed = changed || !same(before[o.GetName()], o)
	}
	for _, o := range before {
		if later(o.GetResourceVersion(), version) { // we wrote it while the list was on its way
			k.put(o)
		}
	}
	k.everSaw, k.listed, k.err = true, time.Now(), nil
	k.release()
	k.mu.Unlock()
	if changed {
		k.v.broadcast()
	}
	return nil
}

// Resync has nothing to do.
func (k *kindView) Resync() error { return nil }

func same(a, b Object) bool {
	return a != nil && a.GetUID() == b.GetUID() && a.GetResourceVersion() == b.GetResourceVersion()
}

// put and drop keep the index. k.mu is held.
func (k *kindView) put(o Object) {
	k.drop(k.objects[o.GetName()])
	k.objects[o.GetName()] = o
	if name, ok := o.GetLabels()[deploymentLabel]; ok {
		if k.byDeployment[name] == nil {
			k.byDeployment[name] = map[string]Object{}
		}
		k.byDeployment[name][o.GetName()] = o
	}
}

func (k *kindView) drop(o Object) {
	if o == nil {
		return
	}
	delete(k.objects, o.GetName())
	name := o.GetLabels()[deploymentLabel]
	delete(k.byDeployment[name], o.GetName())
	if len(k.byDeployment[name]) == 0 {
		delete(k.byDeployment, name)
	}
}
