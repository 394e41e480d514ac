# The Service "web" is there already, and leads to a Deployment that something
# else made. It becomes the application's address.

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
    # The Service's targetPort is "http": this name, and as a number it would
    # have to be this number.
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

  # Only its selector is handed over. The Service keeps its ports, its type, its
  # labels and annotations.
  traffic = {
    service = {
      name  = "web"
      adopt = true
    }
  }
}
