package release_test

import (
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func TestNameOfWhatChangesInPlace(t *testing.T) {
	t.Parallel()
	spec := func(strategy release.Strategy, version string) release.Spec {
		return release.Spec{Strategy: strategy, Content: release.Content{Application: "api", Version: version}}
	}
	v1, v2 := spec(release.StrategyRolling, "v1"), spec(release.StrategyRolling, "v2")
	if v1.Name() != v2.Name() || v1.Name() != spec(release.StrategyRecreate, "v1").Name() {
		t.Errorf("one release has the names %s, %s and %s", v1.Name(), v2.Name(), spec(release.StrategyRecreate, "v1").Name())
	}
	const want = "api-b3b566de" // a release of this name is out there
	if v1.Name() != want {
		t.Errorf("its name is %s, want %s", v1.Name(), want)
	}
	for _, strategy := range []release.Strategy{"", release.StrategyBlueGreen} {
		if s := spec(strategy, "v1"); s.Name() != s.Content.Name() || release.NamedInPlace(s.Name()) {
			t.Errorf("with strategy %q its name is %s, want %s", strategy, s.Name(), s.Content.Name())
		}
	}
	if !release.NamedInPlace(v1.Name()) || release.NamedInPlace("api") {
		t.Error("the name does not tell what changes in place")
	}
	if application, ok := release.ApplicationOf(v1.Name()); !ok || application != "api" {
		t.Errorf("its application is %q", application)
	}
}

func TestStrategiesInPlace(t *testing.T) {
	t.Parallel()
	want := map[release.Strategy]bool{release.StrategyBlueGreen: false, release.StrategyRolling: true, release.StrategyRecreate: true}
	for _, s := range release.Strategies() {
		if in, ok := want[s]; !ok || s.InPlace() != in {
			t.Errorf("%s: in place %v", s, s.InPlace())
		}
	}
	if len(release.Strategies()) != len(want) {
		t.Errorf("strategies: %v", release.Strategies())
	}
}
