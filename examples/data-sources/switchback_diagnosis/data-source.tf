data "switchback_diagnosis" "web" {
  deployment = switchback_deployment.web.id

  # Only where the same configuration makes it.
  depends_on = [switchback_deployment.web]
}

# A plan and an apply warn where the deployment is not healthy any more, and say why.
check "web_is_healthy" {
  assert {
    condition     = data.switchback_diagnosis.web.verdict == "healthy"
    error_message = data.switchback_diagnosis.web.text
  }
}

# What needs something else to run: it fails, and says why. It need not be Switchback's.
data "switchback_diagnosis" "pods" {
  namespace = var.namespace
  selector  = "app.kubernetes.io/name=web"

  lifecycle {
    postcondition {
      condition     = self.verdict != "failed"
      error_message = self.text
    }
  }

  depends_on = [switchback_deployment.web]
}

output "causes" {
  value = [for f in data.switchback_diagnosis.pods.findings : "${f.cause}: ${f.sentence} Try: ${coalesce(f.hint, "nothing")}"]
}
