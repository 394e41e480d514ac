variable "application" {
  description = "Name of the application: also that of its Service and of its route."
  type        = string
}

variable "namespace" {
  description = "Kubernetes namespace, which must exist."
  type        = string
}

variable "environment" {
  description = "Name of the environment, as a label on everything: dev, staging, production. Null: none."
  type        = string
  default     = null
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
  description = "Pods of each version."
  type        = number
  default     = 2

  validation {
    condition     = var.replicas >= 1
    error_message = "A version that gets traffic has at least one pod."
  }
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
  description = "What says that a pod can take traffic. A canary is judged by it: it should fail when the version cannot do its work."
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

# How it is reached.

variable "service_ports" {
  description = "Ports of the application's Service: name of one of ports, to the number there."
  type        = map(number)
  default     = { http = 80 }

  validation {
    condition     = length(var.service_ports) > 0
    error_message = "The Service needs a port."
  }
}

variable "gateways" {
  description = "Gateways that serve the application, which are there already. All of them must accept each change of the traffic."
  type = list(object({
    name         = string
    namespace    = optional(string)
    section_name = optional(string)
  }))

  validation {
    condition     = length(var.gateways) > 0
    error_message = "Name at least one Gateway."
  }
}

variable "hostnames" {
  description = "Host names under which the Gateways serve the application. Null: those of their listeners."
  type        = list(string)
  default     = null
}

variable "route_kind" {
  description = "HTTPRoute, GRPCRoute or TCPRoute. Null: HTTPRoute."
  type        = string
  default     = null

  validation {
    condition     = var.route_kind == null ? true : contains(["HTTPRoute", "GRPCRoute", "TCPRoute"], var.route_kind)
    error_message = "The route is an HTTPRoute, a GRPCRoute or a TCPRoute."
  }
}

variable "route_port" {
  description = "Name of the one of service_ports to which the route leads. Null: the only one."
  type        = string
  default     = null
}

# How traffic moves.

variable "steps" {
  description = "Shares of the traffic that a new version gets before it gets all: a percentage, how long it is watched with it, and whether somebody has to let it go on (gate = \"manual\"). None: it moves at once."
  type = list(object({
    weight   = number
    pause    = optional(string)
    gate     = optional(string)
    replicas = optional(number)
  }))
  default = [
    { weight = 10, pause = "5m" },
    { weight = 50, pause = "5m" },
  ]
  nullable = false

  validation {
    condition     = alltrue([for step in var.steps : step.weight >= 1 && step.weight <= 100 && floor(step.weight) == step.weight])
    error_message = "A weight is a whole number from 1 to 100."
  }

  validation {
    condition     = alltrue([for i, step in var.steps : i == 0 ? true : step.weight > var.steps[i - 1].weight])
    error_message = "Each step gives the new version more than the one before."
  }
}

variable "max_weight" {
  description = "The most that a new version gets for now, in percent: one of the weights of steps. The apply ends as paused there, and goes on when it is raised. Null: all."
  type        = number
  default     = null

  validation {
    condition     = var.max_weight == null ? true : var.max_weight >= 1 && var.max_weight <= 100
    error_message = "The most is a percentage from 1 to 100."
  }
}

variable "on_abandon" {
  description = "What the next apply does about a promotion whose run was killed: stable (all goes back first, and it begins anew) or hold (it goes on). Null: stable."
  type        = string
  default     = null

  validation {
    condition     = var.on_abandon == null ? true : contains(["stable", "hold"], var.on_abandon)
    error_message = "It is stable or hold."
  }
}

variable "bake" {
  description = "How long a new version is watched with all of the route's traffic, before the Service follows. Null: not at all."
  type        = string
  default     = null
}

variable "keep_previous" {
  description = "How many former versions keep running after they were main, so that going back takes seconds."
  type        = number
  default     = 1

  validation {
    condition     = var.keep_previous >= 0
    error_message = "It is a number of versions: 0 or more."
  }
}

variable "retry_token" {
  description = "Any text. Change it to try a version again that was taken back."
  type        = string
  default     = null
}

variable "timeouts" {
  description = "How long a create, an update and a delete may take. Null: ten minutes, and for an update the pauses of steps besides. A pause that does not fit into update ends the apply as paused."
  type = object({
    create = optional(string)
    update = optional(string)
    delete = optional(string)
  })
  default = null
}
