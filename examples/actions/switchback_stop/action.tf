# terraform apply -invoke=action.switchback_stop.web
action "switchback_stop" "web" {
  config {
    deployment_id = "shop/web-7f3c9a1e"
    timeout       = "2m"
  }
}

# Every application of an environment, as a whole.
action "switchback_stop" "night" {
  config {
    namespace   = "shop"
    environment = "dev"
    reason      = "night"
  }
}
