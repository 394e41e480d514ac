output "urls" {
  description = "Addresses inside the cluster."
  value       = { web = module.web.url, api = module.api.url, orders = module.orders.url }
}

output "main" {
  description = "The deployments that have the traffic."
  value       = { web = module.web.main, api = module.api.main, orders = module.orders.main }
}
