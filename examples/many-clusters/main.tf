terraform {
  required_version = ">= 1.8"

  required_providers {
    switchback = {
      source = "switchback-dev/switchback"
    }
  }
}

provider "switchback" {
  clusters = { for name, path in var.kubeconfigs : name => { config_path = path } }
}

resource "switchback_deployment" "web" {
  application = "web"
  namespace   = var.namespace
  version     = var.app_version
  image       = "docker.io/library/nginx:${var.app_version}"
  replicas    = 2
  clusters    = keys(var.kubeconfigs)

  container = {
    ports           = { http = 80 }
    readiness_probe = { http_get = { path = "/", port = "http" } }
  }

  # One cluster at a time, and each is watched before the next one follows.
  rollout = {
    max_parallel = 1
    order        = [var.first]
    bake         = "5s"
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "switchback_main_deployment" "web" {
  application   = "web"
  namespace     = var.namespace
  deployment_id = switchback_deployment.web.id
  clusters      = keys(var.kubeconfigs)
  traffic       = { service = { ports = { http = 80 } } }
}
