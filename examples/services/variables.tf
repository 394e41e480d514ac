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
  default     = "shop"
}

variable "versions" {
  description = "The version of each service: its image's tag."
  type        = object({ web = string, api = string, orders = string })
  default     = { web = "1.29", api = "6.9.2", orders = "1.29" }
}

variable "bake" {
  description = "How long a new api is watched after it got the traffic."
  type        = string
  default     = "10m"
}
