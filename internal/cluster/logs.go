package cluster

import (
	"cmp"
	"context"
	"io"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Log opens the log of one container of a pod, as the API server gets it from the
// node: the caller closes it, and it ends with ctx. A log that is followed does
// not end by itself. A node that does not answer is an internal error of the API
// server's, which is tried again once and no more: it lasts.
func (c *Cluster) Log(ctx context.Context, namespace, pod string, options *corev1.PodLogOptions) (io.ReadCloser, error) {
	res, err := resourceOf(&corev1.Pod{})
	if err != nil {
		return nil, err
	}
	var log io.ReadCloser
	var lasting error
	tried := 0
	_, err = c.do(ctx, call{"read the log of", res, namespace, pod, readTimeout}, func(attempt context.Context) (err error) {
		// The time of an attempt is for the reply's beginning: the stream has ctx's.
		stream, cancel := context.WithCancel(context.WithoutCancel(attempt))
		unhook := context.AfterFunc(ctx, cancel)
		begun := context.AfterFunc(attempt, cancel)
		log, err = c.request("GET", res, namespace, pod).SubResource("log").VersionedParams(options, parameterCodec).Stream(stream)
		if err != nil || !begun() {
			unhook()
			cancel()
			if tried++; tried > 1 && apierrors.IsInternalError(err) {
				lasting = err
				return nil
			}
			return cmp.Or(err, attempt.Err())
		}
		log = &logStream{log, func() { unhook(); cancel() }}
		return nil
	})
	if err == nil && lasting != nil {
		return nil, c.wrap(call{"read the log of", res, namespace, pod, readTimeout}, lasting)
	}
	return log, err
}

// logStream ends its request when it is closed.
type logStream struct {
	io.ReadCloser
	cancel func()
}

func (s *logStream) Close() error {
	defer s.cancel()
	return s.ReadCloser.Close()
}
