variable "kubeconfig" {
  description = "Path of the kubeconfig file."
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
