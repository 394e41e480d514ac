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

variable "clusters" {
  description = "Names of the clusters to run on, of those in the provider's configuration. Default: its only one."
  type        = set(string)
  default     = null
}

# What runs.

variable "replicas" {
  description = "Pods of each version; with autoscaling, those that the first version starts with."
  type        = number
  default     = 2
}

variable "autoscaling" {
  description = "Lets the number of pods follow their load: min, max, and the percentages of the requests to aim at."
  type = object({
    min    = number
    max    = number
    cpu    = optional(number)
    memory = optional(number)
  })
  default = null
}

variable "command" {
  description = "Replaces the image's entrypoint."
  type        = list(string)
  default     = null
}

variable "args" {
  description = "Replaces the image's arguments."
  type        = list(string)
  default     = null
}

variable "ports" {
  description = "Ports that the container listens on, by name. Versions may differ in the numbers."
  type        = map(number)
  default     = { http = 8080 }
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

variable "env_from" {
  description = "Whole ConfigMaps or Secrets as environment variables."
  type = list(object({
    config_map = optional(string)
    secret     = optional(string)
    prefix     = optional(string)
  }))
  default = null
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

variable "readiness_probe" {
  description = "What says that a pod can take traffic."
  type = object({
    http_get              = optional(object({ path = optional(string), port = string, scheme = optional(string), headers = optional(map(string)) }))
    tcp_socket            = optional(object({ port = string }))
    grpc                  = optional(object({ port = string, service = optional(string) }))
    exec                  = optional(object({ command = list(string) }))
    initial_delay_seconds = optional(number)
    period_seconds        = optional(number)
    timeout_seconds       = optional(number)
    failure_threshold     = optional(number)
  })
  default = { http_get = { path = "/", port = "http" } }
}

variable "liveness_probe" {
  description = "What says that a container must be restarted. Null: nothing but its end."
  type = object({
    http_get              = optional(object({ path = optional(string), port = string, scheme = optional(string), headers = optional(map(string)) }))
    tcp_socket            = optional(object({ port = string }))
    grpc                  = optional(object({ port = string, service = optional(string) }))
    exec                  = optional(object({ command = list(string) }))
    initial_delay_seconds = optional(number)
    period_seconds        = optional(number)
    timeout_seconds       = optional(number)
    failure_threshold     = optional(number)
  })
  default = null
}

variable "startup_probe" {
  description = "What holds the other probes back until it succeeds, for slow starters."
  type = object({
    http_get              = optional(object({ path = optional(string), port = string, scheme = optional(string), headers = optional(map(string)) }))
    tcp_socket            = optional(object({ port = string }))
    grpc                  = optional(object({ port = string, service = optional(string) }))
    exec                  = optional(object({ command = list(string) }))
    initial_delay_seconds = optional(number)
    period_seconds        = optional(number)
    timeout_seconds       = optional(number)
    failure_threshold     = optional(number)
  })
  default = null
}

variable "volumes" {
  description = "Sources of files, by a name that volume_mounts use."
  type = map(object({
    empty_dir               = optional(object({ size_limit = optional(string), medium = optional(string) }))
    config_map              = optional(object({ name = string, items = optional(map(string)), optional = optional(bool) }))
    secret                  = optional(object({ name = string, items = optional(map(string)), optional = optional(bool) }))
    persistent_volume_claim = optional(object({ claim_name = string, read_only = optional(bool) }))
  }))
  default = null
}

variable "volume_mounts" {
  description = "Where the volumes appear in the container, by path."
  type        = map(object({ volume = string, sub_path = optional(string), read_only = optional(bool) }))
  default     = null
}

variable "sidecars" {
  description = "Containers beside the application."
  type = list(object({
    name          = string
    image         = string
    command       = optional(list(string))
    args          = optional(list(string))
    ports         = optional(map(number))
    env           = optional(map(string))
    secret_env    = optional(map(object({ name = string, key = string })))
    resources     = optional(object({ requests = optional(map(string)), limits = optional(map(string)) }))
    volume_mounts = optional(map(object({ volume = string, sub_path = optional(string), read_only = optional(bool) })))
  }))
  default = null
}

variable "service_account_name" {
  description = "ServiceAccount of the pods. Null: the namespace's own."
  type        = string
  default     = null
}

variable "pod_security" {
  description = "How much the pods are locked down: restricted, baseline or none. Null: baseline."
  type        = string
  default     = null
}

variable "pod_template_patch" {
  description = "YAML that is merged into the pod template, for what has no variable here."
  type        = string
  default     = null
}

variable "restart_triggers" {
  description = "Any texts: a change replaces the pods in place, as after a change of a Secret."
  type        = map(string)
  default     = null
}

# How it is reached, and how traffic moves.

variable "service_ports" {
  description = "Ports of the application's address: name of one of ports, to the number there."
  type        = map(number)
  default     = { http = 80 }
}

variable "service_type" {
  description = "ClusterIP, NodePort or LoadBalancer. Null: ClusterIP."
  type        = string
  default     = null
}

variable "service_annotations" {
  description = "Annotations of the address, such as those for a cloud's load balancer."
  type        = map(string)
  default     = null
}

variable "adopt" {
  description = "Name of a Service that is there already and stays somebody else's: only its selector is handed over. Null: the module makes the Service."
  type        = string
  default     = null
}

variable "keep_previous" {
  description = "How many former versions stay after they were main, so that going back takes seconds."
  type        = number
  default     = 1
}

variable "keep_state" {
  description = "Whether they stay started (going back takes seconds) or stopped (it takes as long as a start)."
  type        = string
  default     = "started"
}

variable "keep_ttl" {
  description = "How long they stay after they were main, as in 48h. Null: for ever."
  type        = string
  default     = null
}

variable "drain" {
  description = "How long a former version keeps running after the traffic has moved, before it may be stopped."
  type        = string
  default     = "10s"
}

variable "bake" {
  description = "How long a new version is watched after the traffic has moved; when it does not do its work, the traffic goes back. Null: not at all."
  type        = string
  default     = null
}

variable "retry_token" {
  description = "Any text. Change it to try a version again that did not pass its bake."
  type        = string
  default     = null
}

variable "timeouts" {
  description = "How long a create, an update and a delete may take. The bake must fit in."
  type = object({
    create = optional(string)
    update = optional(string)
    delete = optional(string)
  })
  default = null
}
