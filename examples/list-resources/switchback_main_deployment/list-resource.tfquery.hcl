# terraform query -generate-config-out=imported.tf
list "switchback_main_deployment" "all" {
  provider         = switchback
  include_resource = true

  config {
    namespace = "shop"
  }
}
