output "main" {
  description = "The deployment that has the traffic, or is getting it."
  value       = switchback_main_deployment.this.deployment_id
}

output "previous" {
  description = "The deployment that had it before; null at first."
  value       = switchback_main_deployment.this.previous_deployment_id
}

output "split" {
  description = "Percent of the traffic of each deployment, by cluster."
  value       = switchback_main_deployment.this.split
}

output "status" {
  description = "How far the promotion came, and why: of one that is paused, what lets it go on."
  value = {
    main   = switchback_main_deployment.this.status
    reason = switchback_main_deployment.this.status_reason
  }
}

output "url" {
  description = "The application's address inside the cluster, which follows last."
  value       = switchback_main_deployment.this.url
}

output "preview_url" {
  description = "The address of this version alone, inside the cluster."
  value       = switchback_deployment.this.internal_url
}
