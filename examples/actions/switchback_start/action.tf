# terraform apply -invoke=action.switchback_start.web
action "switchback_start" "web" {
  config {
    deployment_id = "shop/web-7f3c9a1e"
  }
}
