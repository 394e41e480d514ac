# What may be wrong, of the last hour.
data "switchback_events" "web" {
  deployment = switchback_deployment.web.id
  type       = "Warning"
  since      = "1h"

  # Only where the same configuration makes it.
  depends_on = [switchback_deployment.web]
}

output "warnings" {
  value = [for e in data.switchback_events.web.events : "${e.last_seen} ${e.kind} ${e.name}: ${e.message} (${e.count} times)"]
}
