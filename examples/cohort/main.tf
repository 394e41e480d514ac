# Testers get a new version first: they send a header. Nobody else gets it until
# somebody raises max_weight. Try it:
#
#   terraform apply -var kubeconfig=~/.kube/config
#   terraform apply -var kubeconfig=~/.kube/config -var app_version=1.28
#   curl -H 'x-canary: 1' http://web.example.com/ # 1.28; without the header, 9 of 10 requests get 1.29
#   terraform apply -var kubeconfig=~/.kube/config -var app_version=1.28 -var max_weight=100

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
  replicas    = 2 # also for those who send the header

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
    steps      = [{ weight = 10 }]
    max_weight = var.max_weight
    match = [ # one of these is enough
      { header = { name = "x-canary", exact = "1" } },
      { header = { name = "x-team", exact = "web" } },
    ]
  }

  keep_previous = { count = 1 }
}
