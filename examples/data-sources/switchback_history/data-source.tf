# The last ten moves of the traffic: when, to what, by whom, for which commit.
data "switchback_history" "web" {
  namespace   = var.namespace
  application = "web"
  operation   = "promote"
  limit       = 10

  # Only where the same configuration makes it.
  depends_on = [switchback_main_deployment.web]
}

output "moves" {
  value = [for e in data.switchback_history.web.entries : "${e.time} ${e.version} ${e.outcome} by ${e.by} ${try(e.run.commit, "")}"]
}
