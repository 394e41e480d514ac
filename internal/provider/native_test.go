package provider_test

import (
	"fmt"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
)

// requiredProviders is what a configuration needs that calls functions.
const requiredProviders = `
terraform {
  required_providers {
    switchback = { source = "hashicorp/switchback" }
  }
}
`

// feature is something that not every CLI can do. What depends on one has a
// test at the level of the protocol that always runs; here is who can run the
// other, through a CLI.
type feature string

const (
	importByIdentity feature = "import by identity"
	queries          feature = "query"
	actions          feature = "actions"
)

// since is the first version of Terraform and of OpenTofu with a feature;
// empty: none yet.
var since = map[feature]struct{ terraform, tofu string }{
	importByIdentity: {"1.12", "1.12"},
	queries:          {"1.14", ""},
	actions:          {"1.14", ""},
}

// can says whether a CLI has a feature.
func can(t *testing.T, cli devtools.CLI, f feature) bool {
	t.Helper()
	first := since[f].terraform
	if cli.Tofu {
		first = since[f].tofu
	}
	if first == "" {
		return false
	}
	return !older(t, cli.Version, first)
}

// older compares the first two numbers of versions.
func older(t *testing.T, version, than string) bool {
	t.Helper()
	numbers := func(text string) (major, minor int) {
		if _, err := fmt.Sscanf(text, "%d.%d", &major, &minor); err != nil {
			t.Fatalf("%q is not a version: %v", text, err)
		}
		return major, minor
	}
	major, minor := numbers(version)
	thanMajor, thanMinor := numbers(than)
	return major < thanMajor || major == thanMajor && minor < thanMinor
}

// The table decides which tests run through the CLI at hand, so it is tested.
func TestFeaturesByVersion(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		cli  devtools.CLI
		want map[feature]bool
	}{
		{devtools.CLI{Version: "1.8.5"}, map[feature]bool{}},
		{devtools.CLI{Version: "1.11.4"}, map[feature]bool{}},
		{devtools.CLI{Version: "1.12.0"}, map[feature]bool{importByIdentity: true}},
		{devtools.CLI{Version: "1.14.0-rc1"}, map[feature]bool{importByIdentity: true, queries: true, actions: true}},
		{devtools.CLI{Version: "2.0.0"}, map[feature]bool{importByIdentity: true, queries: true, actions: true}},
		{devtools.CLI{Version: "1.11.0", Tofu: true}, map[feature]bool{}},
		{devtools.CLI{Version: "1.12.6", Tofu: true}, map[feature]bool{importByIdentity: true}},
	} {
		for f := range since {
			if got := can(t, test.cli, f); got != test.want[f] {
				t.Errorf("%+v has %s: %v, want %v", test.cli, f, got, test.want[f])
			}
		}
	}
}
