package provider_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// With mock_provider, core makes up whatever is computed, and asks the provider only
// to validate: ids that are none must pass, wherever they are used.
func TestAccMockedIDsAreValid(t *testing.T) {
	t.Parallel()
	w := newWorkspace(t)
	const configuration = `
terraform {
  required_providers {
    switchback = { source = "switchback-dev/switchback" }
  }
}

resource "switchback_deployment" "api" {
  application = "api"
  namespace   = "shop"
  image       = "demo/api:v1"
  container   = { ports = { http = 80 } }
}

resource "switchback_main_deployment" "api" {
  application   = "api"
  namespace     = "shop"
  deployment_id = switchback_deployment.api.id
  traffic       = { service = { ports = { http = 80 } } }
}

resource "switchback_deployment_group" "shop" {
  name    = "shop"
  members = { api = { deployment_id = switchback_deployment.api.id, traffic = { service = { ports = { http = 80 } } } } }
}

data "switchback_logs" "api" { deployment = switchback_deployment.api.id }
data "switchback_events" "api" { deployment = switchback_deployment.api.id }
data "switchback_diagnosis" "api" { deployment = switchback_deployment.api.id }
data "switchback_deployment" "api" { id = switchback_deployment.api.id }
`
	const test = `
mock_provider "switchback" {}

run "mocked" {
  assert {
    condition     = switchback_main_deployment.api.deployment_id == switchback_deployment.api.id
    error_message = "The id is another one."
  }
}
`
	tests := filepath.Join(w.Dir, "tests")
	if err := errors.Join(os.Mkdir(tests, 0o755), os.WriteFile(filepath.Join(w.Dir, "main.tf"), []byte(configuration), 0o600),
		os.WriteFile(filepath.Join(tests, "mocked.tftest.hcl"), []byte(test), 0o600)); err != nil {
		t.Fatal(err)
	}
	if text := w.do("test", "-no-color"); !strings.Contains(text, "1 passed, 0 failed") {
		t.Errorf("it says\n%s", text)
	}
}
