# Two applications get a new version together: 10 % of the traffic of each, then half of
# it, then all. When one fails, both go back. Try it:
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

resource "switchback_deployment" "shop" {
  for_each = var.hostnames

  application = each.key
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

resource "switchback_deployment_group" "shop" {
  name = "shop"

  members = {
    for name, hostname in var.hostnames : name => {
      deployment_id = switchback_deployment.shop[name].id
      traffic = {
        service = { ports = { http = 80 } }
        gateway = {
          parent_refs = [var.gateway]
          hostnames   = [hostname]
        }
      }
    }
  }

  # All have one share before any of them gets the next.
  canary = {
    steps = [
      { weight = 10, pause = var.pause },
      { weight = 50, pause = var.pause },
    ]
  }
}

output "shares" {
  description = "Who gets how much of the traffic of each application."
  value       = { for name, member in switchback_deployment_group.shop.members : name => member.split }
}
