# One service: the version that is asked for, and the address that leads to it.
# Environments call this module, each with its own values, and with their own
# provider configuration.

terraform {
  required_version = ">= 1.8"

  required_providers {
    switchback = {
      source = "switchback-dev/switchback"
    }
  }
}

resource "switchback_deployment" "this" {
  application = var.application
  namespace   = var.namespace
  environment = var.environment
  version     = var.app_version
  image       = "${var.image}:${var.app_version}"
  replicas    = var.replicas
  clusters    = var.clusters

  container = {
    ports           = { http = var.port }
    env             = var.env
    secret_env      = var.secret_env
    resources       = var.resources
    readiness_probe = { http_get = { path = var.readiness_path, port = "http" } }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "switchback_main_deployment" "this" {
  application   = var.application
  namespace     = var.namespace
  deployment_id = switchback_deployment.this.id
  clusters      = var.clusters
  traffic       = { service = { ports = { http = var.service_port } } }
  keep_previous = { count = var.keep_previous }
  drain         = var.drain
}
