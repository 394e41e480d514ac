output "main" {
  description = "The deployment that has the traffic."
  value       = switchback_main_deployment.this.deployment_id
}

output "previous" {
  description = "The deployment that had it before; null at first."
  value       = switchback_main_deployment.this.previous_deployment_id
}

output "url" {
  description = "The application's address inside the cluster."
  value       = switchback_main_deployment.this.url
}

output "preview_url" {
  description = "The address of this version alone, inside the cluster."
  value       = switchback_deployment.this.internal_url
}
