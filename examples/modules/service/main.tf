# One service: the version that is asked for, and the address that leads to it.
# Environments call this module, each with its own values, and with their own
# provider configuration. What a service does not need stays out: most variables
# have a default, and null leaves an attribute to Switchback.

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
  autoscaling = var.autoscaling
  clusters    = var.clusters

  container = {
    command         = var.command
    args            = var.args
    ports           = var.ports
    env             = var.env
    secret_env      = var.secret_env
    env_from        = var.env_from
    resources       = var.resources
    readiness_probe = var.readiness_probe
    liveness_probe  = var.liveness_probe
    startup_probe   = var.startup_probe
    volume_mounts   = var.volume_mounts
  }

  sidecars             = var.sidecars
  volumes              = var.volumes
  service_account_name = var.service_account_name
  pod_security         = var.pod_security
  pod_template_patch   = var.pod_template_patch
  restart_triggers     = var.restart_triggers
  timeouts             = var.timeouts

  lifecycle {
    create_before_destroy = true
  }
}

resource "switchback_main_deployment" "this" {
  application   = var.application
  namespace     = var.namespace
  deployment_id = switchback_deployment.this.id
  clusters      = var.clusters

  # A Service that is adopted keeps everything but its selector.
  traffic = {
    service = {
      name        = var.adopt
      adopt       = var.adopt == null ? null : true
      ports       = var.adopt == null ? var.service_ports : null
      type        = var.adopt == null ? var.service_type : null
      annotations = var.adopt == null ? var.service_annotations : null
    }
  }

  keep_previous = { count = var.keep_previous, state = var.keep_state, ttl = var.keep_ttl }
  drain         = var.drain
  bake          = var.bake
  retry_token   = var.retry_token
  timeouts      = var.timeouts
}
