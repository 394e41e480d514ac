# Found by its version; data "switchback_deployment" { id = … } also works.
data "switchback_deployment" "web" {
  namespace   = var.namespace
  application = "web"
  version     = "1.29"

  # Only where the same configuration makes it.
  depends_on = [switchback_deployment.web]
}

output "ready" {
  value = "${data.switchback_deployment.web.ready_replicas} of ${data.switchback_deployment.web.replicas} pods of ${data.switchback_deployment.web.name} are ready"
}
