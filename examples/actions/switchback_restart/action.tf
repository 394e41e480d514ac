# terraform apply -invoke=action.switchback_restart.web
action "switchback_restart" "web" {
  config {
    deployment_id = "shop/web-7f3c9a1e"
  }
}
