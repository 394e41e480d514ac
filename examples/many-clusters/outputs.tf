output "clusters" {
  description = "How the last operation ended on each cluster."
  value       = switchback_deployment.web.cluster_status
}
