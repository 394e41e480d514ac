variable "namespace" {
  description = "Kubernetes namespace, which must exist."
  type        = string
}
