# The id is <namespace>/<name>. The plan after an import is empty where the
# configuration says what runs.
terraform import switchback_deployment.web shop/web-7f3c9a1e
