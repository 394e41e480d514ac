output "main" {
  description = "The deployment that has the traffic."
  value       = switchback_main_deployment.web.deployment_id
}

output "previous" {
  description = "The deployment that had it before, kept running for going back."
  value       = switchback_main_deployment.web.previous_deployment_id
}

output "url" {
  description = "The application's address inside the cluster."
  value       = switchback_main_deployment.web.url
}

output "own_url" {
  description = "The address of this version alone, inside the cluster."
  value       = switchback_deployment.web.internal_url
}
