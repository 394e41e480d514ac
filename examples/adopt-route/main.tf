# The Service "web" is there already, and so is the HTTPRoute "shop", whose rule "web"
# leads to it. Both stay somebody else's. A version gets 10 % of the rule's traffic
# first, then half of it, then all: the first one from what is there already.

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
    service = {
      name  = "web"
      adopt = true
    }
    gateway = {
      name  = "shop"
      rule  = "web"
      adopt = true
      port  = "http"
    }
  }

  canary = {
    steps = [
      { weight = 10, pause = var.pause },
      { weight = 50, pause = var.pause },
    ]
  }
}
