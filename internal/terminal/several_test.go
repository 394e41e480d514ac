package terminal_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/terminal"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestMemberOfAGroup: what would take one application out of its group is refused, and it is
// said what to do; and the group goes on from its gate by any of its members.
func TestMemberOfAGroup(t *testing.T) {
	t.Parallel()
	s := newRouted(t)
	s.member = rollout.Member{Group: "shop", Name: "api"}
	s.Steps = []release.CanaryStep{{Weight: 25, Gate: release.GateManual}}
	for _, version := range []string{"v1", "v2"} {
		s.deploy(version)
		s.promote(version)
	}
	s.says("", "guard", "api", "--once").wants(t, terminal.ExitFailed, `moves with its group "shop", as one`, "An apply of the group watches all of its members", "kubectl switchback rollback --group shop")
	s.says("", "hold", "api", "--yes").wants(t, terminal.ExitFailed, `was not held: the group "shop" moves it together with others`, "`kubectl switchback rollback --group shop`", "switchback_rollback_group")
	s.says("", "promote", "api", "--full", "--yes").wants(t, terminal.ExitFailed, `was skipped: the group "shop" moves it together with others`, "`kubectl switchback promote` without --full")
	for _, verb := range []string{"hold", "stop", "rollback", "retry", "resume"} {
		s.says("", verb, "shop", "--yes").wants(t, terminal.ExitFailed, "there is no main deployment of "+s.namespace+"/shop", "shop is a deployment group: name an application that it moves, of api. To take all of it back: kubectl switchback rollback --group shop --namespace "+s.namespace)
	}
	for _, verb := range []string{"get", "history", "diagnose", "runbook", "guard"} {
		s.says("", verb, "shop").wants(t, terminal.ExitFailed, `application "shop" not found`, "shop is a deployment group: name an application that it moves, of api.")
	}
	for _, verb := range []string{"rollback", "abort"} {
		s.says("no\n", verb, "api").wants(t, terminal.ExitNo, "goes back from "+s.name("v2")+" to "+s.name("v1"), `It belongs to the group "shop", whose other members stay where they are.`)
	}
	if p := s.main().Progress; p == nil || !p.Paused || p.Held != nil || p.Weight(p.At) != 25 {
		t.Errorf("it did something: %+v", p)
	}
	s.says("", "promote", "api", "--yes").wants(t, terminal.ExitDone, "goes on from its pause")
}

// TestGroupGoesBack: members that share their traffic go back as one, and what they left is
// remembered, unless the move was given up; and all stay where one cannot go.
func TestGroupGoesBack(t *testing.T) {
	t.Parallel()
	s := newRouted(t)
	s.Steps = []release.CanaryStep{{Weight: 25, Gate: release.GateManual}}
	members := []string{"api", "web"}
	all := map[string]release.MemberAsked{}
	for _, app := range members {
		all[app] = release.MemberAsked{ID: s.namespace + "/" + app}
	}
	move := func(version string) {
		t.Helper()
		to := map[string]string{}
		for _, app := range members {
			s.app = app
			to[app] = s.name(version)
		}
		for _, app := range members {
			s.app, s.asked = app, &release.Asked{Group: &release.GroupAsked{Members: all}}
			s.member = rollout.Member{Group: "shop", Name: app, Move: release.MoveOf(to)}
			s.promote(version)
		}
	}
	leads := func(version string, share int) {
		t.Helper()
		for _, app := range members {
			s.app = app
			p := s.main().Progress
			switch {
			case share > 0 && (p == nil || p.To != s.name(version) || p.Weight(p.At) != share):
				t.Errorf("%s has %+v", app, p)
			case share == 0 && (p != nil || s.main().Deployment != s.name(version)):
				t.Errorf("%s is %+v", app, s.main())
			}
		}
	}
	for _, version := range []string{"v1", "v2"} {
		for _, s.app = range members {
			s.deploy(version)
		}
		move(version)
	}
	leads("v2", 25)
	s.says("", "rollback", "--group", "shop", "api").wants(t, terminal.ExitUsage, "--group excludes a name, --selector, --environment and --to")
	s.says("", "rollback", "--group", "shops", "--yes").wants(t, terminal.ExitFailed, "the namespace "+s.namespace+` has no member of a group "shops" on any of the clusters`)
	s.app = "api"
	api := s.name("v1")
	s.app = "web"
	web := s.name("v1")
	s.says("no\n", "rollback", "--group", "shop").wants(t, terminal.ExitNo, `The traffic of the group "shop" goes back as one: api on `+api+", web on "+web+".")
	leads("v2", 25)
	s.says("", "rollback", "--group", "shop", "--yes", "--reason", "5xx").wants(t, terminal.ExitDone, `the group "shop" is back: api on `+api+", web on "+web)
	leads("v1", 0)
	for _, app := range members {
		s.app = app
		if b := s.main().Breach; b == nil || b.To != s.name("v2") {
			t.Errorf("of %s, it is remembered: %+v", app, b)
		}
		s.says("", "retry", app, "--yes").wants(t, terminal.ExitDone)
	}
	move("v2")
	leads("v2", 25)
	s.says("", "abort", "--group", "shop", "--yes").wants(t, terminal.ExitDone, `the group "shop" is back: api on `+api+", web on "+web)
	leads("v1", 0)
	for _, app := range members {
		if s.app = app; s.main().Breach != nil {
			t.Errorf("of %s, it is remembered: %+v", app, s.main().Breach)
		}
	}
}

// TestOrderOfAGroup: of many at once, what others come after is first, and last where pods go.
func TestOrderOfAGroup(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	id := func(name string) string { return s.namespace + "/" + name }
	for _, app := range []string{"api", "web"} {
		s.app, s.owner = app, ""
		s.asked = &release.Asked{Group: &release.GroupAsked{Members: map[string]release.MemberAsked{
			"first": {ID: id("web")}, "second": {ID: id("api"), After: []string{"first"}},
		}}}
		s.deploy("v1")
		s.promote("v1")
	}
	for _, verb := range []struct{ name, whom, order string }{
		{"restart", "--environment=production", "[web api]"}, {"stop", "--selector=" + release.LabelApplication, "[api web]"}, {"start", "--environment=production", "[web api]"},
	} {
		var list terminal.ActionList
		decode(t, s.says("", verb.name, verb.whom, "--yes", "-o", "json"), &list)
		var order []string
		for _, item := range list.Items {
			app, is := release.ApplicationOf(item.Name)
			if !is {
				app = item.Name
			}
			order = append(order, app)
			if item.Outcome != terminal.OutcomeDone {
				t.Errorf("%s: %+v", verb.name, item)
			}
		}
		if got := fmt.Sprint(order); got != verb.order {
			t.Errorf("%s goes in the order %s, want %s", verb.name, got, verb.order)
		}
	}
}

// TestMoveAnEnvironment: each verb that moves traffic, or keeps it where it is, acts on all of
// an environment in the order of the groups; where traffic goes back, what others come after
// is last. One that has nothing under way keeps none of the others from it, and is told.
func TestMoveAnEnvironment(t *testing.T) {
	t.Parallel()
	s := newRouted(t)
	s.Steps = []release.CanaryStep{{Weight: 25, Gate: release.GateManual}}
	id := func(name string) string { return s.namespace + "/" + name }
	s.asked = &release.Asked{Group: &release.GroupAsked{Members: map[string]release.MemberAsked{
		"first": {ID: id("web")}, "second": {ID: id("api"), After: []string{"first"}},
	}}}
	owners := map[string]string{}
	each := func(do func()) {
		for _, app := range []string{"api", "web"} {
			s.app, s.owner = app, owners[app]
			do()
			owners[app] = s.owner
		}
	}
	begin := func() {
		t.Helper()
		each(func() {
			s.promote("v2")
			if p := s.main().Progress; p == nil || !p.Paused || p.Weight(p.At) != 25 {
				t.Fatalf("%s is %+v", s.app, p)
			}
		})
	}
	each(func() {
		s.deploy("v1")
		s.promote("v1")
		s.deploy("v2")
	})
	begin()
	const forward, backward = "[web api]", "[api web]"
	for _, verb := range []struct {
		args, order string
		is          func(*release.Main) bool
	}{
		{"hold", forward, func(m *release.Main) bool { return m.Progress.Held != nil }},
		{"resume", forward, func(m *release.Main) bool { return m.Progress.Held == nil }},
		{"promote", forward, func(m *release.Main) bool { return m.Progress != nil && m.Deployment == s.name("v1") }},
		{"abort", backward, func(m *release.Main) bool {
			return m.Progress == nil && m.Breach == nil && m.Deployment == s.name("v1")
		}},
		{"", "", nil},
		{"rollback", backward, func(m *release.Main) bool {
			return m.Progress == nil && m.Breach != nil && m.Deployment == s.name("v1")
		}},
		{"retry", forward, func(m *release.Main) bool { return m.Breach == nil }},
		{"", "", nil},
		{"promote --full", forward, func(m *release.Main) bool { return m.Progress == nil && m.Deployment == s.name("v2") }},
	} {
		if verb.args == "" {
			begin()
			continue
		}
		done := s.says("", append(strings.Fields(verb.args), "--environment", "production", "--yes", "-o", "json", "--reason", "drill")...)
		done.wants(t, terminal.ExitDone)
		var list terminal.ActionList
		decode(t, done, &list)
		var order []string
		for _, item := range list.Items {
			order = append(order, item.Name)
			if item.Outcome != terminal.OutcomeDone || item.Says == "" {
				t.Errorf("%s: %+v", verb.args, item)
			}
		}
		if got := fmt.Sprint(order); got != verb.order {
			t.Errorf("%s goes in the order %s, want %s", verb.args, got, verb.order)
		}
		each(func() {
			if m := s.main(); !verb.is(m) {
				t.Errorf("after %s, %s is %+v with %+v", verb.args, s.app, m, m.Progress)
			}
		})
	}

	each(func() { s.deploy("v3") })
	s.promote("v3") // of web alone
	for _, verb := range []string{"hold", "abort"} {
		said := s.says("", verb, "-l", "team=payments", "--yes")
		said.wants(t, terminal.ExitFailed, "web: ", "api: ", "no promotion of it is under way")
		if strings.Contains(said.out, "api: ") || !strings.Contains(said.out, "web: ") {
			t.Errorf("%s: it tells as done\n%s", verb, said.out)
		}
	}
	if m := s.main(); m.Progress != nil || m.Deployment != s.name("v2") {
		t.Errorf("it is %+v", m)
	}
}

// TestSeveralContexts: what changes something is done on all clusters that are named, or on
// none; and says where.
func TestSeveralContexts(t *testing.T) {
	t.Parallel()
	both := testcluster.Routed(t, 2)
	namespace := both[0].Namespace(t)
	both[1].NamespaceNamed(t, namespace)
	proxy := both[1].Proxy(t)
	s := shopOn(t, namespace, map[string]string{"eu": both[0].KubeconfigPath, "us": both[1].KubeconfigPath})
	for _, c := range both {
		c.DataPlane(t, namespace, "httproutes")
	}
	s.routed, s.Steps = true, []release.CanaryStep{{Weight: 25, Gate: release.GateManual}, {Weight: 50, Pause: time.Hour}}
	for _, version := range []string{"v1", "v2"} {
		s.deploy(version)
		s.promote(version)
	}
	config := testcluster.Contexts(t, namespace, map[string]string{"eu": both[0].KubeconfigPath, "us": proxy.KubeconfigPath})
	do := func(args ...string) said {
		t.Helper()
		return run(t, append(args, "--yes", "--kubeconfig", config, "--contexts", "us,eu")...)
	}
	on := func(have string) {
		t.Helper()
		for _, context := range []string{"eu", "us"} {
			run(t, "get", "api", "--kubeconfig", config, "--context", context).wants(t, terminal.ExitDone, have)
		}
	}
	do("hold", "api").wants(t, terminal.ExitDone, "it is held where it is")
	on("is held by ")
	do("resume", "api").wants(t, terminal.ExitDone, "goes on with the next apply on eu, us.")
	do("promote", "api", "--full").wants(t, terminal.ExitDone, s.name("v2")+" gets all of the traffic of "+namespace+"/api on eu, us:")
	on(s.name("v2") + " main v2 started 100%")
	do("rollback", "api").wants(t, terminal.ExitDone, "goes back from "+s.name("v2")+" to "+s.name("v1")+" on eu, us.")
	on(s.name("v1") + " main v1 started 100%")
	do("retry", "api").wants(t, terminal.ExitDone, "what was refused may be tried once more")
	do("restart", "api").wants(t, terminal.ExitDone, "are replaced", "on eu, us")

	alone := shopOn(t, namespace, map[string]string{"eu": both[0].KubeconfigPath})
	alone.app, alone.routed, alone.Steps = "web", true, s.Steps
	for _, version := range []string{"v1", "v2"} {
		alone.deploy(version)
		alone.promote(version)
	}
	do("hold", "web", "--reason", "odd").wants(t, terminal.ExitDone, "The promotion of "+namespace+"/web on eu stays where it is", "it is held where it is")
	do("resume", "web").wants(t, terminal.ExitDone, "goes on with the next apply on eu.")

	proxy.Down(t)
	for verb, says := range map[string]string{
		"hold": "it cannot be told whether " + namespace + `/api has a main deployment on cluster "us": `, "resume": "it cannot be told whether a promotion of " + namespace + `/api is paused on cluster "us": `, "rollback": "",
	} {
		do(verb, "api").wants(t, terminal.ExitFailed, says+`cluster "us" cannot be reached`, ". To act on the other clusters alone, name them with --contexts\n")
	}
	for _, args := range [][]string{{"rollback", "api", "--to", s.name("v2")}, {"stop", "api"}, {"restart", "--environment", "production"}} {
		do(args...).wants(t, terminal.ExitFailed, `cluster "us" cannot be reached`)
	}
	run(t, "get", "api", "--kubeconfig", config, "--context", "eu").wants(t, terminal.ExitDone, s.name("v1")+" main v1 started 100%")
}
