# One service whose new versions get a share of the traffic first. It needs a
# Gateway that is there. Environments call this module, each with its own values,
# and with their own provider configuration. What is not asked for in variables is
# as in the module service: take what you need from there.

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
    ports           = var.ports
    env             = var.env
    secret_env      = var.secret_env
    resources       = var.resources
    readiness_probe = var.readiness_probe
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

  traffic = {
    service = { ports = var.service_ports }
    gateway = {
      kind        = var.route_kind
      port        = var.route_port
      parent_refs = var.gateways
      hostnames   = var.hostnames
    }
  }

  # Without steps, the route moves at once.
  canary = length(var.steps) == 0 ? null : {
    steps      = var.steps
    max_weight = var.max_weight
    on_abandon = var.on_abandon
  }

  bake          = var.bake
  keep_previous = { count = var.keep_previous }
  retry_token   = var.retry_token
  timeouts      = var.timeouts
}
