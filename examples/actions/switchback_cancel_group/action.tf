# terraform apply -invoke=action.switchback_cancel_group.shop
action "switchback_cancel_group" "shop" {
  config {
    namespace = "shop"
    name      = "shop"
  }
}
