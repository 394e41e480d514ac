# terraform apply -invoke=action.switchback_rollback_group.shop
action "switchback_rollback_group" "shop" {
  config {
    namespace = "shop"
    name      = "shop"
  }
}
