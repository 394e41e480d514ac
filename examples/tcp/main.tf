# A canary of what speaks no HTTP: a cache. A TCPRoute shares connections, not
# requests: a tenth of those that are opened leads to the new version, and stays
# there for as long as it is open. Try it:
#
#   terraform apply -var kubeconfig=~/.kube/config
#   terraform apply -var kubeconfig=~/.kube/config -var app_version=1.6.40

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

resource "switchback_deployment" "cache" {
  application = "cache"
  namespace   = var.namespace
  version     = var.app_version
  image       = "docker.io/library/memcached:${var.app_version}"
  replicas    = 2

  container = {
    ports           = { memcached = 11211 }
    resources       = { requests = { cpu = "50m", memory = "96Mi" }, limits = { memory = "128Mi" } }
    readiness_probe = { tcp_socket = { port = "memcached" } }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "switchback_main_deployment" "cache" {
  application   = "cache"
  namespace     = var.namespace
  deployment_id = switchback_deployment.cache.id

  traffic = {
    service = { ports = { memcached = 11211 } }
    gateway = {
      kind        = "TCPRoute" # one for each listener, so the listener is named
      parent_refs = [var.gateway]
    }
  }

  canary = {
    steps = [{ weight = 10, pause = var.pause }]
  }

  keep_previous = { count = 1 } # long connections stay with the former version
}
