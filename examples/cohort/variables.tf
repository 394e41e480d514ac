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

variable "hostname" {
  description = "Host name under which the Gateway serves the application."
  type        = string
  default     = "web.example.com"
}

variable "gateway" {
  description = "The Gateway that serves the application: there already, with a listener that takes routes of its namespace."
  type        = object({ name = string, namespace = string })
  default     = { name = "public", namespace = "gateway" }
}

variable "max_weight" {
  description = "The most that a new version gets for now, in percent. 100: all."
  type        = number
  default     = 10
}
