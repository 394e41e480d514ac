package provider_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

var (
	configBlock   = regexp.MustCompile(`(?s)\b(?:action|list) "(\w+)" "\w+" \{.*?\bconfig \{(.*?)\}`)
	identityBlock = regexp.MustCompile(`(?s)\bto\s*= (\w+)\.\w+.*?\bidentity = \{(.*?)\}`)
	assignment    = regexp.MustCompile(`(?m)^\s+(\w+)\s*= "([^"]*)"$`)
)

// The examples that only newer CLIs run fit the schemas, whatever the CLI at
// hand.
func TestExamplesOfNewerCLIs(t *testing.T) {
	l := newLab(t)
	p := l.speak()
	required := func(file string, schema *tfprotov6.Schema, config data) {
		t.Helper()
		for _, a := range schema.Block.Attributes {
			if a.Required && config[a.Name] == nil {
				t.Errorf("%s: %s is missing", file, a.Name)
			}
		}
	}
	found := map[string]int{}
	for kind, check := range map[string]func(file, typeName string, config data){
		"actions/*/action.tf": func(file, typeName string, config data) {
			schema := p.schemas.ActionSchemas[typeName].Schema
			required(file, schema, config)
			resp, err := p.server.(tfprotov6.ActionServer).PlanAction(t.Context(), &tfprotov6.PlanActionRequest{ActionType: typeName, Config: p.pack(schema.ValueType(), config)})
			l.must(err)
			p.fine(resp.Diagnostics)
		},
		"list-resources/*/list-resource.tfquery.hcl": func(file, typeName string, config data) {
			required(file, p.schemas.ListResourceSchemas[typeName], config)
			p.list(typeName, config, false, 0).fine().wants()
		},
		"resources/*/import-by-identity.tf": func(_, typeName string, identity data) {
			p.fine(p.importBy(typeName, "", identity).diagnostics)
		},
	} {
		files, err := filepath.Glob(filepath.Join(examples, kind))
		l.must(err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			l.must(err)
			for _, block := range append(configBlock.FindAllStringSubmatch(string(text), -1), identityBlock.FindAllStringSubmatch(string(text), -1)...) {
				config := data{}
				for _, a := range assignment.FindAllStringSubmatch(block[2], -1) {
					config[a[1]] = a[2]
				}
				found[kind]++
				check(file, block[1], config)
			}
		}
		if len(files) == 0 || found[kind] < len(files) {
			t.Errorf("%d files %s have %d blocks", len(files), kind, found[kind])
		}
	}
	if actions := len(p.schemas.ActionSchemas); found["actions/*/action.tf"] < actions {
		t.Errorf("%d actions have %d examples", actions, found["actions/*/action.tf"])
	}
}
