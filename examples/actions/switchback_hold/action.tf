# terraform apply -invoke=action.switchback_hold.web
action "switchback_hold" "web" {
  config {
    namespace   = "shop"
    application = "web"
    reason      = "looking at the error rate"
  }
}
