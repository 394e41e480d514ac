variable "kubeconfig" {
  description = "Path of the kubeconfig file. A leading ~ is the home directory."
  type        = string
}

variable "context" {
  description = "Context of the kubeconfig. Default: its current context."
  type        = string
  default     = null
}

variable "namespace" {
  description = "Kubernetes namespace, which must exist."
  type        = string
  default     = "default"
}

variable "app_version" {
  description = "The version to release: the image's tag."
  type        = string
  default     = "1.29"
}

variable "addresses" {
  description = "Where clients reach each cluster: addresses of its load balancer."
  type        = map(set(string))
  default     = { east = ["203.0.113.10"] }
}

variable "weights" {
  description = "Share of the clients that each cluster gets."
  type        = map(number)
  default     = { east = 100 }
}
