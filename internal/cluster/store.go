package cluster

import (
	"fmt"
	"time"
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
	k.put(o)
	k.mu.Unlock()
	if !same(old, o) {
		k.v.broadcast()
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
	k.drop(old)
	k.mu.Unlock()
	if old != nil {
		k.v.broadcast()
	}
	return nil
}

// Replace is the result of a LIST.
func (k *kindView) Replace(items []any, _ string) error {
	k.mu.Lock()
	before := k.objects
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
