# terraform apply -invoke=action.switchback_promote.web
action "switchback_promote" "web" {
  config {
    namespace   = "shop"
    application = "web"
    reason      = "v1 is on fire"
  }
}
