# A new version has an address of its own before it gets any traffic. Try it:
#
#   terraform apply -var kubeconfig=~/.kube/config
#   terraform apply -var kubeconfig=~/.kube/config -var app_version=1.28 -var main_version=1.29

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
  for_each = toset(distinct([var.app_version, coalesce(var.main_version, var.app_version)]))

  application = "web"
  namespace   = var.namespace
  version     = each.key
  image       = "docker.io/library/nginx:${each.key}"

  container = {
    ports           = { http = 80 }
    resources       = { requests = { cpu = "50m", memory = "64Mi" }, limits = { memory = "128Mi" } }
    readiness_probe = { http_get = { path = "/", port = "http" } }
  }

  preview = {
    hostname    = "{name}.${var.domain}"
    parent_refs = [var.gateway]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "switchback_main_deployment" "web" {
  application   = "web"
  namespace     = var.namespace
  deployment_id = switchback_deployment.web[coalesce(var.main_version, var.app_version)].id

  traffic = { service = { ports = { http = 80 } } }
}

output "previews" {
  description = "Where each version is looked at."
  value       = { for version, deployment in switchback_deployment.web : version => deployment.preview_url }
}
