# terraform apply -invoke=action.switchback_rollback.web
action "switchback_rollback" "web" {
  config {
    namespace   = "shop"
    application = "web"
  }
}

# The same, to a deployment of your choice.
action "switchback_rollback" "web_to" {
  config {
    namespace     = "shop"
    application   = "web"
    deployment_id = "shop/web-7f3c9a1e"
  }
}
