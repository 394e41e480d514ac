import {
  to = switchback_deployment_group.shop

  identity = {
    namespace = "shop"
    name      = "shop"
  }
}
