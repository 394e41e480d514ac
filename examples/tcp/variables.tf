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
  default     = "1.6.39"
}

variable "gateway" {
  description = "The Gateway that serves the application: there already, with a listener that takes TCPRoutes of its namespace."
  type        = object({ name = string, namespace = string, section_name = string })
  default     = { name = "public", namespace = "gateway", section_name = "cache" }
}

variable "pause" {
  description = "How long a new version is watched with each share of the traffic."
  type        = string
  default     = "2m"
}
