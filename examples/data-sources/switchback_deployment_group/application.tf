# What the example looks at: usually in another configuration.

resource "switchback_deployment" "web" {
  application = "web"
  namespace   = var.namespace
  version     = "1.29"
  image       = "docker.io/library/nginx:1.29"

  container = {
    ports           = { http = 80 }
    readiness_probe = { http_get = { path = "/", port = "http" } }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "switchback_deployment_group" "shop" {
  name = "shop"

  members = {
    web = {
      deployment_id = switchback_deployment.web.id
      traffic       = { service = { ports = { http = 8080 } } }
    }
  }
}
