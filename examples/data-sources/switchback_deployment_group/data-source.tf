data "switchback_deployment_group" "shop" {
  namespace = var.namespace
  name      = "shop"

  # Only where the same configuration makes it.
  depends_on = [switchback_deployment_group.shop]
}

# Who serves, by member.
output "serving" {
  value = { for name, member in data.switchback_deployment_group.shop.members : name => member.deployment_id }
}
