# Staging: like production, but smaller.

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
    staging = {
      config_path    = var.kubeconfig
      config_context = var.context
    }
  }
}

module "web" {
  source = "../../modules/service"

  application = "web"
  namespace   = var.namespace
  environment = "staging"
  image       = "docker.io/library/nginx"
  app_version = var.app_version
  ports       = { http = 80 }

  replicas      = 2
  keep_previous = 1
}

output "main" {
  description = "The deployment that has the traffic."
  value       = module.web.main
}

output "url" {
  description = "The application's address inside the cluster."
  value       = module.web.url
}
