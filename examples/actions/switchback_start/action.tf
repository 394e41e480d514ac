# terraform apply -invoke=action.switchback_start.web
action "switchback_start" "web" {
  config {
    deployment_id = "shop/web-7f3c9a1e"
  }
}

# Every application of an environment, with the pods that it had before it was stopped.
action "switchback_start" "morning" {
  config {
    namespace   = "shop"
    environment = "dev"
    reason      = "morning"
  }
}
