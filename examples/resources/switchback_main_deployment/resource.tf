resource "switchback_deployment" "web" {
  application = "web"
  namespace   = var.namespace
  version     = "1.29"
  image       = "docker.io/library/nginx:1.29"
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

resource "switchback_main_deployment" "web" {
  application   = "web"
  namespace     = var.namespace
  deployment_id = switchback_deployment.web.id

  # The application's address: the Service "web", port 8080, leads to the port
  # that the deployment calls "http".
  traffic = {
    service = {
      ports = { http = 8080 }
    }
  }

  # The last two former main deployments stay running, for going back.
  keep_previous = { count = 2 }

  drain = "30s"

  # Watched after the switch, and taken back where it does not do its work. Take
  # minutes for what matters.
  bake = "10s"
}
