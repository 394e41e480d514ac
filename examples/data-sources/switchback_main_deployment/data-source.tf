data "switchback_main_deployment" "web" {
  namespace   = var.namespace
  application = "web"

  # Only where the same configuration makes it.
  depends_on = [switchback_main_deployment.web]
}

output "serving" {
  value = data.switchback_main_deployment.web.deployment_id
}

# Percent of the traffic that has moved, by cluster.
output "moved" {
  value = { for cluster, data in data.switchback_main_deployment.web.strategy_data : cluster => data.switched_traffic }
}
