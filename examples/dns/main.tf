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
    east = {
      config_path    = var.kubeconfig
      config_context = var.context
    }
  }
}

resource "switchback_deployment" "web" {
  application = "web"
  namespace   = var.namespace
  version     = var.app_version
  image       = "docker.io/library/nginx:${var.app_version}"
  clusters    = ["east"]

  container = {
    ports           = { http = 80 }
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
  clusters      = ["east"]
  traffic       = { service = { ports = { http = 80 } } }

  # With endpoints = true and a backend, external-dns makes the records.
  dns = {
    name      = "web.example.com"
    policy    = "weighted"
    weights   = var.weights
    targets   = var.addresses
    endpoints = false
  }
}

# For whatever makes the records instead, such as an aws_route53_record for each.
output "records" {
  value = { for r in switchback_main_deployment.web.dns_records : "${r.cluster}/${r.type}" => r }
}
