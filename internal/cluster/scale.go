package cluster

import (
	"context"
	"encoding/json"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Scale is a server-side apply of the number of pods alone, by a field manager
// of its own: who then leaves the number out of an apply as "switchback" does
// not reset it. d's uid and resourceVersion are preconditions; the result is
// the API server's reply.
func (c *Cluster) Scale(ctx context.Context, d *appsv1.Deployment, replicas int32, force bool) (*appsv1.Deployment, error) {
	res, err := resourceOf(d)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string]any{
		"apiVersion": res.gv.String(), "kind": res.kind,
		"metadata": map[string]any{"namespace": d.Namespace, "name": d.Name, "uid": d.UID, "resourceVersion": d.ResourceVersion},
		"spec":     map[string]any{"replicas": replicas},
	})
	if err != nil {
		return nil, err
	}
	scaled := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: d.Name, UID: d.UID, ResourceVersion: d.ResourceVersion},
		Spec:       appsv1.DeploymentSpec{Replicas: &replicas},
	}
	return scaled, c.applyAs(ctx, release.ScaleManager, res, scaled, body, force)
}
