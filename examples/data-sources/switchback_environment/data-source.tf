data "switchback_environment" "shop" {
  namespaces = [var.namespace]

  # Only where the same configuration makes it.
  depends_on = [switchback_main_deployment.web]
}

output "status" {
  value = data.switchback_environment.shop.status
}

# What runs where, and what is wrong with it.
output "applications" {
  value = { for a in data.switchback_environment.shop.applications : a.application => {
    version  = a.version
    clusters = a.clusters
    problems = a.problems
  } }
}

check "well" {
  assert {
    condition     = contains(["ready", "working"], data.switchback_environment.shop.status)
    error_message = "The shop is ${data.switchback_environment.shop.status}."
  }
}
