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
  description = "The version to look at: the image's tag."
  type        = string
  default     = "1.29"
}

variable "main_version" {
  description = "The version that gets the traffic. Default: the same one."
  type        = string
  default     = null
}

variable "domain" {
  description = "Domain below which every version has a name: a wildcard of it leads to the Gateway."
  type        = string
  default     = "preview.example.com"
}

variable "gateway" {
  description = "The Gateway that serves the previews: there already, with a listener that takes routes of this namespace."
  type        = object({ name = string, namespace = string })
  default     = { name = "public", namespace = "gateway" }
}
