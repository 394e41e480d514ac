resource "switchback_deployment" "shop" {
  for_each = { api = "1.29", web = "1.29" }

  application = each.key
  namespace   = var.namespace
  version     = each.value
  image       = "docker.io/library/nginx:${each.value}"
  replicas    = 2

  container = {
    ports           = { http = 80 }
    resources       = { limits = { memory = "128Mi" } }
    readiness_probe = { http_get = { path = "/", port = "http" } }
  }

  lifecycle {
    create_before_destroy = true
  }
}

# One promotion of both: api first, which is watched for a moment, then web.
resource "switchback_deployment_group" "shop" {
  name = "shop"

  members = {
    api = {
      deployment_id = switchback_deployment.shop["api"].id
      traffic       = { service = { ports = { http = 8080 } } }
    }
    web = {
      deployment_id = switchback_deployment.shop["web"].id
      traffic       = { service = { ports = { http = 80 } } }
      after         = ["api"]
      drain         = "5s" # clients of web keep no connections
    }
  }

  waves = [
    { members = ["api"], bake = "3s" },
    { members = ["web"] },
  ]

  # When one fails, all go back. This is the default.
  failure = { scope = "group" }

  keep_previous = { count = 1 }
  drain         = "10s"
}
