variable "application" {
  description = "Name of the application: also that of its Service, so <application>.<namespace>.svc is its address."
  type        = string
}

variable "namespace" {
  description = "Kubernetes namespace, which must exist."
  type        = string
}

variable "environment" {
  description = "Name of the environment, as a label on everything: dev, staging, production."
  type        = string
}

variable "image" {
  description = "The image, without its tag."
  type        = string
}

variable "app_version" {
  description = "The version to release: the image's tag. Changing it back goes back."
  type        = string
}

variable "replicas" {
  description = "Pods of each version."
  type        = number
  default     = 2
}

variable "clusters" {
  description = "Names of the clusters to run on, of those in the provider's configuration. Default: its only one."
  type        = set(string)
  default     = null
}

variable "port" {
  description = "Port that the container listens on. Versions may differ in it."
  type        = number
  default     = 8080
}

variable "service_port" {
  description = "Port of the application's address."
  type        = number
  default     = 80
}

variable "readiness_path" {
  description = "HTTP path that answers when a pod can take traffic."
  type        = string
  default     = "/"
}

variable "env" {
  description = "Environment variables. Not for secrets: they are in the state."
  type        = map(string)
  default     = {}
}

variable "secret_env" {
  description = "Environment variables from Kubernetes Secrets: name of the variable, to the Secret's name and key."
  type        = map(object({ name = string, key = string }))
  default     = {}
}

variable "resources" {
  description = "What a pod asks for, and may use at most."
  type = object({
    requests = optional(map(string))
    limits   = optional(map(string))
  })
  default = {
    requests = { cpu = "50m", memory = "64Mi" }
    limits   = { memory = "128Mi" }
  }
}

variable "keep_previous" {
  description = "How many former versions stay running after they were main, so that going back takes seconds."
  type        = number
  default     = 1
}

variable "drain" {
  description = "How long a former version keeps running after the traffic has moved, before it may be stopped."
  type        = string
  default     = "10s"
}
