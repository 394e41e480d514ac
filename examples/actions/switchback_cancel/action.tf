# terraform apply -invoke=action.switchback_cancel.web
action "switchback_cancel" "web" {
  config {
    deployment_id = "shop/web-7f3c9a1e"
  }
}
