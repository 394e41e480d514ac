import {
  to = switchback_deployment.web

  identity = {
    namespace = "shop"
    name      = "web-7f3c9a1e"
  }
}
