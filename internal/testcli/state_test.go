package testcli_test

import (
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcli"
)

func TestStateOfTheCLI(t *testing.T) {
	t.Parallel()
	w := testcli.New(t, testcli.Provider{})
	if s := w.State(t); len(s.Resources) > 0 || w.StateText(t) != "" {
		t.Errorf("before the first apply there is %+v", s)
	}
	w.Write(t, "main.tf", `
resource "terraform_data" "fails" {
  input = "mine"
  provisioner "local-exec" {
    command = "exit 1"
  }
}
resource "terraform_data" "each" {
  for_each = toset(["a", "b"])
  input    = each.key
}
resource "terraform_data" "count" {
  count = 1
}
`)
	if err := w.Start(t, "apply", "-auto-approve", "-input=false").Wait(); err == nil {
		t.Fatal("it succeeded")
	}
	s := w.State(t)
	if found := s.At("terraform_data.fails"); len(found) != 1 || found[0].Status != "tainted" || found[0].Text("id") == "" {
		t.Errorf("what failed is %+v", found)
	}
	if found := s.At(`terraform_data.each["b"]`); len(found) != 1 || found[0].Status != "" {
		t.Errorf("what succeeded is %+v", found)
	} else {
		var each struct{ Input struct{ Value string } }
		if err := found[0].Decode(&each); err != nil || each.Input.Value != "b" {
			t.Errorf("it is %+v, %v", each, err)
		}
	}
	for address, want := range map[string]int{"terraform_data.count[0]": 1, "terraform_data.count": 0, "terraform_data.each": 0} {
		if found := s.At(address); len(found) != want {
			t.Errorf("at %s there is %+v", address, found)
		}
	}
}

func TestStateWithADeposedInstance(t *testing.T) {
	t.Parallel()
	w := testcli.New(t, testcli.Provider{})
	w.Write(t, "terraform.tfstate", `{"version": 4, "resources": [
  {"mode": "data", "type": "switchback_history", "name": "api", "instances": [{"attributes": {"entries": []}}]},
  {"mode": "managed", "type": "switchback_deployment", "name": "api", "instances": [
    {"attributes": {"name": "api-2", "replicas": 1}},
    {"deposed": "0a1b2c3d", "status": "tainted", "attributes": {"name": "api-1"}}
  ]}
]}`)
	s := w.State(t)
	found := s.At("switchback_deployment.api")
	if len(found) != 2 || found[0].Deposed != "" || found[0].Text("name") != "api-2" || found[0].Text("replicas") != "" ||
		found[1].Deposed != "0a1b2c3d" || found[1].Status != "tainted" || found[1].Text("name") != "api-1" {
		t.Errorf("the instances are %+v", found)
	}
	if found := s.At("switchback_history.api"); len(found) != 1 {
		t.Errorf("the data source is %+v", found)
	}
}
