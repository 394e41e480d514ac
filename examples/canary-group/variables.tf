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
  description = "The version of both to release: the image's tag."
  type        = string
  default     = "1.29"
}

variable "hostnames" {
  description = "The applications, and under which host name the Gateway serves each."
  type        = map(string)
  default     = { api = "api.example.com", web = "web.example.com" }
}

variable "gateway" {
  description = "The Gateway that serves the applications: there already, with a listener that takes routes of its namespace."
  type        = object({ name = string, namespace = string })
  default     = { name = "public", namespace = "gateway" }
}

variable "pause" {
  description = "How long a new version is watched with each share of the traffic."
  type        = string
  default     = "2m"
}
