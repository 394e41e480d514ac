# For `terraform test`. Nothing is asked of the provider but whether the
# configuration is valid: there is no cluster, and what it would compute is made
# up, or what mock_resource says.
mock_provider "switchback" {
  mock_resource "switchback_main_deployment" {
    defaults = { url = "http://web.default.svc:80" }
  }
}

variables {
  kubeconfig = "not read"
}

run "first_release" {
  variables {
    app_version = "1.28"
  }

  assert {
    condition     = switchback_deployment.web.image == "docker.io/library/nginx:1.28"
    error_message = "The image is not that of the version."
  }
  assert {
    condition     = switchback_main_deployment.web.deployment_id == switchback_deployment.web.id
    error_message = "The address does not lead to the deployment."
  }
  assert {
    condition     = output.url == "http://web.default.svc:80"
    error_message = "The output url is not the address."
  }
}

# The next run goes on with what the one before has made. A mock knows no
# replacement: the id stays what it was.
run "bump" {
  variables {
    app_version = "1.29"
  }

  assert {
    condition     = switchback_deployment.web.version == "1.29"
    error_message = "The version is not the one that was asked for."
  }
}
