# Production: more of everything, two versions to go back to, and time for long
# requests to end.

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
    production = {
      config_path    = var.kubeconfig
      config_context = var.context
    }
  }
}

module "web" {
  source = "../../modules/service"

  application = "web"
  namespace   = var.namespace
  environment = "production"
  image       = "docker.io/library/nginx"
  app_version = var.app_version
  ports       = { http = 80 }

  replicas      = 3
  keep_previous = 2
  drain         = "30s"

  resources = {
    requests = { cpu = "100m", memory = "128Mi" }
    limits   = { memory = "256Mi" }
  }
}

output "main" {
  description = "The deployment that has the traffic."
  value       = module.web.main
}

output "url" {
  description = "The application's address inside the cluster."
  value       = module.web.url
}
