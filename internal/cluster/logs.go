package cluster

import (
	"cmp"
	"context"
	"io"

	corev1 "k8s.io/api/core/v1"
)

// Log opens the log of one container of a pod, as the API server gets it from the
// node: the caller closes it, and it ends with ctx. A log that is followed does
// not end by itself.
func (c *Cluster) Log(ctx context.Context, namespace, pod string, options *corev1.PodLogOptions) (io.ReadCloser, error) {
	res, err := resourceOf(&corev1.Pod{})
	if err != nil {
		return nil, err
	}
	var log io.ReadCloser
	_, err = c.do(ctx, call{"read the log of", res, namespace, pod, readTimeout}, func(attempt context.Context) (err error) {
		// The time of an attempt is for the reply's beginning: the stream has ctx's.
		stream, cancel := context.WithCancel(context.WithoutCancel(attempt))
		unhook := context.AfterFunc(ctx, cancel)
		begun := context.AfterFunc(attempt, cancel)
		log, err = c.request("GET", res, namespace, pod).SubResource("log").VersionedParams(options, parameterCodec).Stream(stream)
		if err != nil || !begun() {
			unhook()
			cancel()
			return cmp.Or(err, attempt.Err())
		}
		log = &logStream{log, func() { unhook(); cancel() }}
		return nil
	})
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
