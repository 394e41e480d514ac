# terraform apply -invoke=action.switchback_retry.web
action "switchback_retry" "web" {
  config {
    namespace   = "shop"
    application = "web"
    reason      = "the database is back"
  }
}
