# terraform apply -invoke=action.switchback_abort.web
action "switchback_abort" "web" {
  config {
    namespace   = "shop"
    application = "web"
    reason      = "the wrong version"
  }
}
