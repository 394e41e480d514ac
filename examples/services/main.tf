# Three services of one shop, with one module. Each has its own version, and only
# what it needs besides.

terraform {
  required_version = ">= 1.8"

  required_providers {
    switchback = {
      source = "switchback-dev/switchback"
    }
  }
}

provider "switchback" {
  clusters = {
    production = {
      config_path    = var.kubeconfig
      config_context = var.context
    }
  }
}

locals {
  nginx = "docker.io/library/nginx"
}

# Little to say: two pods, one port.
module "web" {
  source = "../modules/service"

  application = "web"
  namespace   = var.namespace
  environment = "production"
  image       = local.nginx
  app_version = var.versions.web
  ports       = { http = 80 }
}

# Much to say. It scales with its load, is watched after each release, and has a
# sidecar and a second port.
module "api" {
  source = "../modules/service"

  application = "api"
  namespace   = var.namespace
  environment = "production"
  image       = "ghcr.io/stefanprodan/podinfo"
  app_version = var.versions.api

  autoscaling = { min = 2, max = 10, cpu = 70 }
  command     = ["./podinfo", "--port=9898", "--port-metrics=9797"]
  ports       = { http = 9898, metrics = 9797 }
  env         = { PODINFO_UI_MESSAGE = "the api of the shop" }
  resources = {
    requests = { cpu = "100m", memory = "64Mi" }
    limits   = { memory = "128Mi" }
  }

  readiness_probe = { http_get = { path = "/readyz", port = "http" } }
  liveness_probe  = { http_get = { path = "/healthz", port = "http" }, period_seconds = 20 }
  startup_probe   = { tcp_socket = { port = "http" } }

  volumes = {
    data   = { empty_dir = { size_limit = "64Mi" } }
    config = { config_map = { name = "api-config", optional = true } }
  }
  volume_mounts = {
    "/data"       = { volume = "data" }
    "/etc/config" = { volume = "config", read_only = true }
  }
  sidecars = [{
    name          = "audit"
    image         = "docker.io/library/busybox:1.37"
    command       = ["tail", "-F", "/data/audit.log"]
    resources     = { limits = { memory = "16Mi" } }
    volume_mounts = { "/data" = { volume = "data", read_only = true } }
  }]
  pod_template_patch = yamlencode({ spec = { enableServiceLinks = false } })

  service_ports = { http = 80, metrics = 9797 }
  keep_previous = 2
  drain         = "30s"
  bake          = var.bake
  timeouts      = { create = "30m", update = "30m" }
}

# The Service "orders" was there before Switchback, and other tools manage it.
# A former version stays without pods: it costs nothing, and a start to go back.
module "orders" {
  source = "../modules/service"

  application = "orders"
  namespace   = var.namespace
  environment = "production"
  image       = local.nginx
  app_version = var.versions.orders
  ports       = { http = 80 }
  adopt       = "orders"
  keep_state  = "stopped"
}
