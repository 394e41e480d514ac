package release_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

func TestDecidePointer(t *testing.T) {
	t.Parallel()
	const ours, theirs = "0123", "4567"
	main := func(owner, group, deployment string, unfinished bool) *release.Main {
		m := &release.Main{Owner: owner, Group: group, Deployment: deployment}
		if unfinished {
			m.Progress = open(deployment, "api-2", release.MainRunning, nil)
		}
		return m
	}
	claim := func(owner, group string) release.PointerClaim {
		return release.PointerClaim{Owner: owner, Group: group, To: "api-2"}
	}
	for name, test := range map[string]struct {
		main  *release.Main
		claim release.PointerClaim
		want  release.PointerStep
	}{
		"nothing there":                         {nil, claim("", ""), release.PointerFree},
		"nothing there, for a state":            {nil, claim(ours, "shop"), release.PointerFree},
		"left by one half of a replacement":     {main("", "", "api-1", false), claim("", ""), release.PointerFree},
		"points nowhere":                        {main(theirs, "", "", false), claim("", ""), release.PointerFree},
		"its own":                               {main(ours, "", "api-1", false), claim(ours, ""), release.PointerOurs},
		"the group's own":                       {main(ours, "shop", "api-1", true), claim(ours, "shop"), release.PointerOurs},
		"a group that was renamed":              {main(ours, "shop", "api-1", false), claim(ours, "store"), release.PointerOurs},
		"claimed since":                         {main(theirs, "", "api-2", false), claim(ours, ""), release.PointerRefuseStale},
		"claimed from a group since":            {main(theirs, "", "api-1", false), claim(ours, "shop"), release.PointerRefuseStale},
		"a group of that name has it since":     {main(theirs, "shop", "api-1", false), claim(ours, "shop"), release.PointerRefuseStale},
		"a group has it since":                  {main(theirs, "shop", "api-2", false), claim(ours, ""), release.PointerRefuseMember},
		"imported from a group":                 {main(ours, "shop", "api-2", false), claim(ours, ""), release.PointerRefuseMember},
		"created where it is wanted":            {main(theirs, "", "api-2", false), claim("", ""), release.PointerTakeOver},
		"created where it is unfinished":        {main(theirs, "", "api-1", true), claim("", ""), release.PointerTakeOver},
		"created elsewhere":                     {main(theirs, "", "api-1", false), claim("", ""), release.PointerRefuseOwned},
		"a group takes a main deployment":       {main(theirs, "", "api-2", false), claim("", "shop"), release.PointerTakeOver},
		"a group wants another":                 {main(theirs, "", "api-1", false), claim("", "shop"), release.PointerRefuseOwned},
		"a main deployment takes from a group":  {main(theirs, "shop", "api-2", false), claim("", ""), release.PointerTakeOver},
		"one wants another than the group":      {main(theirs, "shop", "api-1", false), claim("", ""), release.PointerRefuseMember},
		"one comes while the group moves":       {main(theirs, "shop", "api-2", true), claim("", ""), release.PointerRefuseMember},
		"a group takes from another":            {main(theirs, "shop", "api-2", false), claim("", "store"), release.PointerTakeOver},
		"a group comes while another moves":     {main(theirs, "shop", "api-2", true), claim("", "store"), release.PointerRefuseMember},
		"a group whose create was killed":       {main(theirs, "shop", "api-1", true), claim("", "shop"), release.PointerTakeOver},
		"a group of the same name wants others": {main(theirs, "shop", "api-1", false), claim("", "shop"), release.PointerRefuseMember},
	} {
		if got := release.DecidePointer(test.main, test.claim); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// Nobody gets another's address and changes where it points, unless that was
// unfinished work of nobody else's group.
func TestPointersAreNotStolen(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		draw := func(what string, from ...string) string { return rapid.SampledFrom(from).Draw(t, what) }
		main := &release.Main{Owner: draw("owner", "", "a", "b"), Group: draw("group", "", "shop", "store"), Deployment: draw("at", "", "api-1", "api-2")}
		if rapid.Bool().Draw(t, "unfinished") {
			main.Progress = open("", draw("to", "api-1", "api-2"), release.MainRunning, nil)
		}
		claim := release.PointerClaim{Owner: draw("token", "", "a"), Group: draw("for", "", "shop"), To: "api-2"}
		step := release.DecidePointer(main, claim)
		moves := step == release.PointerTakeOver && main.Deployment != claim.To
		switch {
		case step == release.PointerOurs && main.Owner != claim.Owner:
			t.Fatalf("%+v is not of %+v", main, claim)
		case step == release.PointerOurs && claim.Group == "" && main.Group != "":
			t.Fatalf("a group's %+v is moved by %+v", main, claim)
		case moves && main.Progress == nil:
			t.Fatalf("%+v is moved by %+v", main, claim)
		case step == release.PointerTakeOver && main.Progress != nil && main.Group != "" && main.Group != claim.Group:
			t.Fatalf("%+v is torn from its group by %+v", main, claim)
		case step == release.PointerFree && main.Owner != "" && (main.Deployment != "" || main.Progress != nil || claim.Owner != ""):
			t.Fatalf("%+v is free for %+v", main, claim)
		}
	})
}
