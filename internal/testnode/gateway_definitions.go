package testnode

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
)

const gatewayGroup = "gateway.networking.k8s.io"

// defineRoutes teaches the cluster the kinds of the Gateway API's standard channel,
// and returns when its API server serves them all.
func (c *Cluster) defineRoutes(ctx context.Context) error {
	dir, err := devtools.ModuleDir(ctx, "sigs.k8s.io/gateway-api")
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(dir, "config", "crd", "standard", gatewayGroup+"_*s.yaml"))
	if err != nil {
		return err
	}
	var served []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var definition unstructured.Unstructured
		if err := yaml.Unmarshal(content, &definition.Object); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if definition.GetKind() != "CustomResourceDefinition" {
			continue
		}
		paths, err := serve(&definition)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		served = append(served, paths...)
		encoded, err := json.Marshal(definition.Object)
		if err != nil {
			return err
		}
		if err := c.apply(ctx, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"+definition.GetName(), encoded); err != nil {
			return err
		}
	}
	if len(served) == 0 {
		return errors.New("there are no definitions of the Gateway API in " + dir)
	}
	return c.until(ctx, func() error {
		for _, at := range served {
			if err := c.client.Discovery().RESTClient().Get().AbsPath(at).Do(ctx).Error(); err != nil {
				return fmt.Errorf("%s is not served: %w", at, err)
			}
		}
		return nil
	})
}

// serve are the paths below which a definition's versions are served. Traefik 3.7
// still reads TCPRoutes as v1alpha2, which the standard channel has and does not
// serve any more. Here it does.
func serve(definition *unstructured.Unstructured) (paths []string, err error) {
	plural, _, _ := strings.Cut(definition.GetName(), ".")
	versions, _, err := unstructured.NestedSlice(definition.Object, "spec", "versions")
	if err != nil {
		return nil, err
	}
	for _, version := range versions {
		fields, ok := version.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("a version is %T", version)
		}
		if plural == "tcproutes" && fields["name"] == "v1alpha2" {
			fields["served"] = true
		}
		if name, ok := fields["name"].(string); ok && fields["served"] == true {
			paths = append(paths, path.Join("/apis", gatewayGroup, name, plural))
		}
	}
	return paths, unstructured.SetNestedSlice(definition.Object, versions, "spec", "versions")
}
