# terraform query -generate-config-out=imported.tf
list "switchback_deployment_group" "all" {
  provider         = switchback
  include_resource = true

  config {
    namespace = "shop"
  }
}
