# terraform apply -invoke=action.switchback_restart.web
action "switchback_restart" "web" {
  config {
    deployment_id = "shop/web-7f3c9a1e"
  }
}

# The main deployment of each application of a team.
action "switchback_restart" "payments" {
  config {
    namespace = "shop"
    selector  = "team=payments"
    reason    = "the certificate of the database"
  }
}
