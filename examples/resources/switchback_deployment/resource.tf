resource "switchback_deployment" "web" {
  application = "web"
  namespace   = var.namespace
  version     = "1.29"
  image       = "docker.io/library/nginx:1.29"
  replicas    = 2

  container = {
    ports      = { http = 80 }
    env        = { LOG_LEVEL = "info" }
    secret_env = { DATABASE_URL = { name = "web-database", key = "url", optional = true } }
    resources = {
      requests = { cpu = "50m", memory = "64Mi" }
      limits   = { memory = "128Mi" }
    }
    readiness_probe = { http_get = { path = "/", port = "http" } }
    volume_mounts   = { "/var/cache/nginx" = { volume = "cache" } }
    files           = { "/etc/nginx/conf.d/gzip.conf" = "gzip on;\n" } # of this version: going back brings the former ones
  }

  volumes = {
    cache = { empty_dir = { size_limit = "64Mi" } }
  }

  # When waiting ends, and what is too long.
  health          = { progress_deadline = "5m", min_ready = "2s" }
  duration_budget = { total = "3m" }

  # The monitoring has a Service over the same pods, which is no traffic.
  ignore_services = ["web-metrics"]

  # Whatever has no attribute of its own, in Kubernetes' words.
  pod_template_patch = yamlencode({
    spec = { enableServiceLinks = false }
  })

  # The new deployment first, then the traffic, the old one last.
  lifecycle {
    create_before_destroy = true
  }
}
