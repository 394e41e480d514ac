# The id is <namespace>/<application>.
terraform import switchback_main_deployment.web shop/web
