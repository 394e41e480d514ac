//go:build bench

package bench_test

import (
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

// observed is when a watch from beside was first told of something.
type observed struct {
	made  chan time.Time // the workload
	known chan time.Time // an object that says all that there is to know
}

// observe watches a namespace from beside: what the cluster has told this watch,
// it has told anybody who asked.
func observe(ctx context.Context, c *testnode.Cluster, namespace string, known func(runtime.Object) bool) (observed, error) {
	o := observed{make(chan time.Time, 1), make(chan time.Time, 1)}
	all := metav1.ListOptions{}
	pods, err1 := c.Client().CoreV1().Pods(namespace).Watch(ctx, all)
	workloads, err2 := c.Client().AppsV1().Deployments(namespace).Watch(ctx, all)
	events, err3 := c.Client().CoreV1().Events(namespace).Watch(ctx, all)
	if err := errors.Join(err1, err2, err3); err != nil {
		return o, err
	}
	for _, w := range []watch.Interface{pods, workloads, events} {
		go func() {
			for event := range w.ResultChan() { // until ctx ends
				now := time.Now()
				if w == workloads {
					first(o.made, now)
				}
				if known(event.Object) {
					first(o.known, now)
				}
			}
		}()
	}
	return o, nil
}

// first sends a time where none was sent before.
func first(to chan<- time.Time, at time.Time) {
	select {
	case to <- at:
	default:
	}
}

// await waits for an object that is as it should be.
func await(ctx context.Context, w watch.Interface, done func(runtime.Object) bool) error {
	for {
		select {
		case event, ok := <-w.ResultChan():
			if !ok {
				return errors.New("the watch ended")
			}
			if done(event.Object) {
				return nil
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
