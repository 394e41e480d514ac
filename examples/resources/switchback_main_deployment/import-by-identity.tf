import {
  to = switchback_main_deployment.web

  identity = {
    namespace   = "shop"
    application = "web"
  }
}
