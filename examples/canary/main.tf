# A new version gets 10 % of the traffic, then half of it, then all. Try it:
#
#   terraform apply -var kubeconfig=~/.kube/config
#   terraform apply -var kubeconfig=~/.kube/config -var app_version=1.28

terraform {
  required_version = ">= 1.8"

  required_providers {
    switchback = {
      source = "switchback-dev/switchback"
    }
  }
}

provider "switchback" {
  config_path    = var.kubeconfig
  config_context = var.context
}

resource "switchback_deployment" "web" {
  application = "web"
  namespace   = var.namespace
  version     = var.app_version
  image       = "docker.io/library/nginx:${var.app_version}"
  replicas    = 2

  container = {
    ports           = { http = 80 }
    resources       = { requests = { cpu = "50m", memory = "64Mi" }, limits = { memory = "128Mi" } }
    readiness_probe = { http_get = { path = "/", port = "http" } }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "switchback_main_deployment" "web" {
  application   = "web"
  namespace     = var.namespace
  deployment_id = switchback_deployment.web.id

  traffic = {
    service = { ports = { http = 80 } }
    gateway = {
      parent_refs = [var.gateway]
      hostnames   = [var.hostname]
    }
  }

  canary = {
    steps = [
      { weight = 10, pause = var.pause },
      { weight = 50, pause = var.pause },
    ]
  }

  bake = var.pause # with all of the traffic
}

# Where the traffic goes, and what it waits for, if it is paused.
output "split" { value = switchback_main_deployment.web.split }
output "waits_for" { value = switchback_main_deployment.web.status_reason }
