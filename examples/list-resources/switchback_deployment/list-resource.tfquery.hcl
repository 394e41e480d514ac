# terraform query
list "switchback_deployment" "web" {
  provider = switchback

  config {
    namespace   = "shop"
    application = "web"
  }
}
