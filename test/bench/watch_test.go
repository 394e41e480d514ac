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

// observe watches a namespace from beside, and sends the time at which it is
// first told of an object that known recognises: what the cluster knows, anybody
// can know by then.
func observe(ctx context.Context, c *testnode.Cluster, namespace string, known func(runtime.Object) bool) (<-chan time.Time, error) {
	first := make(chan time.Time, 1)
	all := metav1.ListOptions{}
	pods, err1 := c.Client().CoreV1().Pods(namespace).Watch(ctx, all)
	workloads, err2 := c.Client().AppsV1().Deployments(namespace).Watch(ctx, all)
	events, err3 := c.Client().CoreV1().Events(namespace).Watch(ctx, all)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	for _, w := range []watch.Interface{pods, workloads, events} {
		go func() {
			for event := range w.ResultChan() { // until ctx ends
				now := time.Now()
				if !known(event.Object) {
					continue
				}
				select {
				case first <- now:
				default: // not the first
				}
			}
		}()
	}
	return first, nil
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
