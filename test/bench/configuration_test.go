//go:build bench

package bench_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testnode"
)

func (f failure) imageOn(c *testnode.Cluster) string {
	if f.image == nil {
		return testnode.AppImage("v2")
	}
	return f.image(c)
}

// forUs is the failure as a configuration of this provider.
func (f failure) forUs(c *testnode.Cluster, namespace string) string {
	var env strings.Builder
	for _, name := range slices.Sorted(maps.Keys(f.env)) {
		fmt.Fprintf(&env, "\n      %s = %q", name, f.env[name])
	}
	return fmt.Sprintf(`terraform {
  required_providers {
    switchback = { source = "switchback-dev/switchback" }
  }
}
provider "switchback" {
  config_path    = %q
  server_dry_run = false
}
resource "switchback_deployment" "app" {
  application = "web"
  namespace   = %q
  version     = "v2"
  image       = %q
  replicas    = 1
  container = {
    ports           = { http = 8080 }
    readiness_probe = { http_get = { path = "/readyz", port = "http" }, period_seconds = 1 }
    env = {%s
    }
    %s
  }
  %s
  %s
}
`, c.KubeconfigPath, namespace, f.imageOn(c), env.String(), f.ours.container, f.ours.deployment, f.patience())
}

// patience is what ends the wait on purpose; all else would end it much later.
func (f failure) patience() string {
	switch f.class {
	case health.Certain:
		return fmt.Sprintf("health = { fail_fast_grace = %q }", *grace)
	case health.Patient:
		return fmt.Sprintf("health = { progress_deadline = %q }", *limit)
	case health.Repeated, health.Warning:
	}
	return ""
}

// forThem is the failure as a configuration of hashicorp/kubernetes. What waits
// for the rollout is its default.
func (f failure) forThem(c *testnode.Cluster, namespace string) string {
	var env strings.Builder
	for _, name := range slices.Sorted(maps.Keys(f.env)) {
		fmt.Fprintf(&env, "env {\n            name  = %q\n            value = %q\n          }\n          ", name, f.env[name])
	}
	return fmt.Sprintf(`terraform {
  required_providers {
    kubernetes = { source = "hashicorp/kubernetes" }
  }
}
provider "kubernetes" {
  config_path = %q
}
resource "kubernetes_deployment" "app" {
  metadata {
    name      = "web"
    namespace = %q
  }
  spec {
    replicas = 1
    selector {
      match_labels = { app = "web" }
    }
    template {
      metadata {
        labels = { app = "web" }
      }
      spec {
        %s
        container {
          name  = "web"
          image = %q
          %s
          readiness_probe {
            http_get {
              path = "/readyz"
              port = 8080
            }
            period_seconds = 1
          }
          %s
        }
      }
    }
  }
  timeouts {
    create = %q
  }
}
`, c.KubeconfigPath, namespace, f.theirs.pod, f.imageOn(c), env.String(), f.theirs.container, theirTimeout)
}
