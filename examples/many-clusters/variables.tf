variable "kubeconfigs" {
  description = "Paths of the kubeconfig files, by what the clusters are called here."
  type        = map(string)
}

variable "first" {
  description = "The cluster that gets every version first."
  type        = string
  default     = "east"
}

variable "namespace" {
  description = "Namespace to deploy to; it exists on every cluster."
  type        = string
}

variable "app_version" {
  description = "Version of the application: a tag of its image."
  type        = string
  default     = "1.27"
}
