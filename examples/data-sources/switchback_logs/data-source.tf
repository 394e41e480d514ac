# The last errors of all pods, on all clusters, in the order of time.
data "switchback_logs" "errors" {
  deployment = switchback_deployment.web.id
  container  = "web"
  level      = "error"
  since      = "30m"
  tail       = 20

  # Only where the same configuration makes it.
  depends_on = [switchback_deployment.web]
}

# The whole log as a file, of what ran before the last restart.
data "switchback_logs" "crash" {
  deployment    = switchback_deployment.web.id
  previous      = true
  download_path = abspath("${path.module}/web-crash.log")

  depends_on = [switchback_deployment.web]
}

output "errors" {
  value = [for e in data.switchback_logs.errors.entries : "${e.time} ${e.pod} ${e.message}"]
}
