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

output "service_name" {
  description = "The Service of this version alone."
  value       = switchback_deployment.this.service_name
}

output "status" {
  description = "How far the release and its promotion came."
  value = {
    deployment = switchback_deployment.this.status
    main       = switchback_main_deployment.this.status
    reason     = switchback_main_deployment.this.status_reason
  }
}

output "drift" {
  description = "What somebody else changed in the cluster, as of the last refresh."
  value       = concat(switchback_deployment.this.drift, switchback_main_deployment.this.drift)
}
