package testcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
)

// Routed returns so many clusters that know HTTPRoutes, apart from those of [Clusters], of
// which nobody expects that. The tests of the process share them, and must not stop them:
// see [Start].
func Routed(t testing.TB, n int) []*Cluster {
	t.Helper()
	return routed.first(t, n)
}

func startRouted(int) (*Cluster, error) {
	c, err := start()
	if err != nil {
		return nil, err
	}
	c.shared = true
	ctx, cancel := context.WithTimeout(context.Background(), Hang)
	defer cancel()
	if err = c.learn(ctx, "httproutes"); err == nil {
		for err = c.serves(ctx, "httproutes"); err != nil && ctx.Err() == nil; err = c.serves(ctx, "httproutes") {
			<-time.After(20 * time.Millisecond) // there is nothing to watch yet
		}
	}
	if err != nil {
		c.process.stop()
		return nil, err
	}
	return c, nil
}

// HTTPRoutes teaches the cluster the Gateway API's kind: see Routes.
func (c *Cluster) HTTPRoutes(t testing.TB) { t.Helper(); c.Routes(t, "httproutes") }

// Routes teaches the cluster kinds of the Gateway API, by their plural names, from
// the Go module that has its types, and returns when its API server serves them.
// They stay: on a shared cluster, for everybody. No controller looks at such
// objects.
func (c *Cluster) Routes(t testing.TB, plurals ...string) {
	t.Helper()
	if err := c.learn(t.Context(), plurals...); err != nil {
		t.Fatal(err)
	}
	for _, plural := range plurals {
		Eventually(t, Hang, "the API server to serve "+plural, func() error { return c.serves(t.Context(), plural) })
	}
}

// Forget takes a kind of the Gateway API away from the cluster, by its plural name, and every
// object of it, and returns when its API server does not serve it any more. Shared clusters
// keep theirs.
func (c *Cluster) Forget(t testing.TB, plural string) {
	t.Helper()
	c.own(t)
	if err := c.client.Discovery().RESTClient().Delete().AbsPath(definitions, plural+".gateway.networking.k8s.io").Do(t.Context()).Error(); err != nil {
		t.Fatal(err)
	}
	Eventually(t, Hang, "the API server to forget "+plural, func() error {
		err := c.serves(t.Context(), plural)
		switch {
		case err == nil:
			return errors.New("it serves them")
		case apierrors.IsNotFound(err):
			return nil
		}
		return err
	})
}

// learn applies the kinds' definitions.
func (c *Cluster) learn(ctx context.Context, plurals ...string) error {
	dir, err := devtools.ModuleDir(ctx, "sigs.k8s.io/gateway-api")
	if err != nil {
		return err
	}
	client := c.client.Discovery().RESTClient()
	for _, plural := range plurals {
		definition, err := os.ReadFile(filepath.Join(dir, "config", "crd", "standard", "gateway.networking.k8s.io_"+plural+".yaml"))
		if err != nil {
			return err
		}
		err = client.Patch(types.ApplyYAMLPatchType).AbsPath(definitions, plural+".gateway.networking.k8s.io").
			Param("fieldManager", "tests").Param("force", "true").Body(definition).Do(ctx).Error()
		if err != nil {
			return fmt.Errorf("install the CustomResourceDefinition of %s: %w", plural, err)
		}
	}
	return nil
}

// serves says why the API server does not serve a kind yet.
func (c *Cluster) serves(ctx context.Context, plural string) error {
	return c.client.Discovery().RESTClient().Get().AbsPath("/apis/gateway.networking.k8s.io/v1/" + plural).Do(ctx).Error()
}
