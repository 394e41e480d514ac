package cluster

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// The Roles in SECURITY.md are those that are asked for, and no others.
func TestDocumentedRolesAreThoseAskedFor(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	documented := map[Feature][]rbacv1.PolicyRule{}
	for _, block := range blocks {
		for text := range strings.SplitSeq(block[1], "---\n") {
			var role rbacv1.Role
			if err := yaml.UnmarshalStrict([]byte(text), &role); err != nil {
				t.Fatal(err)
			}
			if role.Namespace == "shop" {
				documented[Feature(strings.TrimPrefix(role.Name, "switchback-"))] = role.Rules
			}
		}
	}
	var bound []Feature
	for name := range strings.FieldsSeq(regexp.MustCompile(`for role in (.*); do`).FindStringSubmatch(string(page))[1]) {
		bound = append(bound, Feature(name))
	}
	if d := cmp.Diff(slices.Sorted(slices.Values(Features())), slices.Sorted(slices.Values(bound))); d != "" {
		t.Errorf("the Roles that are bound: %s", d)
	}
	for _, feature := range Features() {
		if d := cmp.Diff(rulesOf(feature), documented[feature]); d != "" {
			t.Errorf("%s: %s", feature, d)
		}
		if !strings.Contains(string(page), "\n| "+string(feature)+" | ") {
			t.Errorf("%s is not in the table of roles", feature)
		}
		delete(documented, feature)
	}
	if len(documented) > 0 {
		t.Errorf("nobody asks for %v", documented)
	}
}
