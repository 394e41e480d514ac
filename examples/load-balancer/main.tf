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

  # The load balancer is made once, by the Service, and stays: only the pods behind
  # it change.
  traffic = {
    service = {
      type  = "LoadBalancer"
      ports = { http = 80 }
      annotations = {
        "service.beta.kubernetes.io/aws-load-balancer-scheme" = "internal"
      }
    }
  }

  # The load balancer learns later than the cluster which nodes to ask.
  drain = "60s"
}
