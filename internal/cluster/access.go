package cluster

import "context"

// Denied are the permissions that the credential lacks in a namespace, of all that any
// feature needs, in the order of the table. Each is asked for live. It writes nothing.
func (c *Cluster) Denied(ctx context.Context, namespace string) ([]Gap, error) {
	return c.gaps(ctx, namespace, Features(), nil)
}
