# terraform apply -invoke=action.switchback_resume.web, and then terraform apply
action "switchback_resume" "web" {
  config {
    namespace   = "shop"
    application = "web"
  }
}

# Only where it is this deployment that waits.
action "switchback_resume" "web_from" {
  config {
    namespace     = "shop"
    application   = "web"
    deployment_id = "shop/web-7f3c9a1e"
  }
}
