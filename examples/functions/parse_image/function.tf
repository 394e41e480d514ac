locals {
  image = provider::switchback::parse_image("ghcr.io/acme/api:v1.4.0")
}

# ghcr.io
output "registry" {
  value = local.image.registry
}

# ghcr.io/acme/api:v1.5.0: the same image, another tag
output "next" {
  value = "${local.image.name}:v1.5.0"
}
