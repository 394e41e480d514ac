// Package policy evaluates the policies of examples/pipeline with Open Policy Agent,
// over plans that a test of internal/provider compares with real ones.
package policy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/open-policy-agent/opa/v1/rego"
)

func TestDeletions(t *testing.T) {
	query, err := rego.New(rego.Query("data.main.deny"), rego.Load([]string{"../../examples/pipeline/deletions.rego"}, nil)).PrepareForEval(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wanted := map[string][]string{
		"first.json":  nil,
		"bump.json":   nil,
		"revert.json": nil,
		"destroy.json": {
			"switchback_deployment.api is deleted: delete",
			"switchback_main_deployment.api is deleted: delete",
		},
		"renamed.json": {"switchback_main_deployment.api is deleted: delete, create"},
		"other.json":   {"terraform_data.api is deleted: delete, create"},
	}
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) != len(wanted) {
		t.Fatalf("found %v, %v", files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var plan any
		if err := json.Unmarshal(content, &plan); err != nil {
			t.Fatal(err)
		}
		result, err := query.Eval(t.Context(), rego.EvalInput(plan))
		if err != nil || len(result) != 1 {
			t.Fatalf("%s: %v, %v", file, result, err)
		}
		var denied []string
		for _, message := range result[0].Expressions[0].Value.([]any) {
			denied = append(denied, message.(string))
		}
		slices.Sort(denied)
		if want := wanted[filepath.Base(file)]; !slices.Equal(denied, want) {
			t.Errorf("%s is denied: %q, want %q", file, denied, want)
		}
	}
}
