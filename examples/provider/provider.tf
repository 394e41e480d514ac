terraform {
  required_providers {
    switchback = {
      source = "switchback-dev/switchback"
    }
  }
}

variable "kubeconfig" {
  description = "Path of the kubeconfig file."
  type        = string
}

variable "context" {
  description = "Context of the kubeconfig. Default: its current context."
  type        = string
  default     = null
}

provider "switchback" {
  clusters = {
    prod = {
      config_path    = var.kubeconfig
      config_context = var.context
    }
  }
}
