data "switchback_deployments" "web" {
  namespace   = var.namespace
  application = "web"

  # Only where the same configuration makes it.
  depends_on = [switchback_main_deployment.web]
}

# What can be gone back to, the newest first.
output "former" {
  value = [for d in data.switchback_deployments.web.deployments : d.version if d.retained]
}

# What the next promotion removes, and why.
output "to_be_removed" {
  value = { for d in data.switchback_deployments.web.deployments : d.name => d.collect_reason if d.collected_at_next_promotion }
}
