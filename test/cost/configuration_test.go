//go:build bench

package cost_test

import "fmt"

// setting is what a configuration is made for.
type setting struct {
	n                     int
	version               string
	namespace, kubeconfig string
	asks                  bool // server_dry_run
}

func nothing(s setting) string {
	return fmt.Sprintf(`terraform {
  required_providers {
    null = { source = "hashicorp/null" }
  }
}
resource "null_resource" "app" {
  count    = %d
  triggers = { version = %q }
  lifecycle {
    create_before_destroy = true
  }
}
`, s.n, s.version)
}

func ours(s setting) string {
	return fmt.Sprintf(`terraform {
  required_providers {
    switchback = { source = "switchback-dev/switchback" }
  }
}
provider "switchback" {
  config_path    = %q
  server_dry_run = %t
}
resource "switchback_deployment" "app" {
  count       = %d
  application = "app-${count.index}"
  namespace   = %q
  version     = %q
  image       = "demo/app:%[5]s"
  replicas    = 1
  container   = { ports = { http = 8080 } }
  lifecycle {
    create_before_destroy = true
  }
}
`, s.kubeconfig, s.asks, s.n, s.namespace, s.version)
}

func theirs(s setting) string {
	return fmt.Sprintf(`terraform {
  required_providers {
    kubernetes = { source = "hashicorp/kubernetes" }
  }
}
provider "kubernetes" {
  config_path = %q
}
resource "kubernetes_deployment" "app" {
  count = %d
  metadata {
    name      = "app-${count.index}"
    namespace = %q
  }
  spec {
    replicas = 1
    selector {
      match_labels = { app = "app-${count.index}" }
    }
    template {
      metadata {
        labels = { app = "app-${count.index}" }
      }
      spec {
        container {
          name  = "app"
          image = "demo/app:%s"
          port {
            container_port = 8080
          }
        }
      }
    }
  }
}
resource "kubernetes_service" "app" {
  count = %[2]d
  metadata {
    name      = "app-${count.index}"
    namespace = %[3]q
  }
  spec {
    selector = { app = "app-${count.index}" }
    port {
      port        = 8080
      target_port = 8080
    }
  }
}
`, s.kubeconfig, s.n, s.namespace, s.version)
}
