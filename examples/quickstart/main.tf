# One application, released from one variable. Try it:
#
#   terraform init
#   terraform apply -var kubeconfig=~/.kube/config -var context=my-cluster
#   terraform apply -var kubeconfig=~/.kube/config -var context=my-cluster -var app_version=1.28
#   terraform destroy -var kubeconfig=~/.kube/config -var context=my-cluster

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
    main = {
      config_path    = var.kubeconfig
      config_context = var.context
    }
  }
}

resource "switchback_deployment" "web" {
  application = "web"
  namespace   = var.namespace
  version     = var.app_version
  image       = "${var.image}:${var.app_version}"
  replicas    = var.replicas

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
  traffic       = { service = { ports = { http = 80 } } }
}
