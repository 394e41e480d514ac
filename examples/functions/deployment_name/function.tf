# web-7f3c9a1e: the name of the deployment's objects.
output "name" {
  value = provider::switchback::deployment_name("web", "7f3c9a1e5b0d42c8a6e19f7730c4d8b25e61a0f39c7d84b2e5f60a1938c7d4e2")
}
