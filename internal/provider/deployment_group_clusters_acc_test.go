package provider_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// One application over two clusters, cluster by cluster, beside another one that
// is on both.
func groupOverClusters(t *testing.T, p *pair) {
	l, w := p.east, p.east.inProcess()
	east, west := p.east.watchMain(), p.west.watchMain()
	config := func(tag string) string {
		apiOn := func(cluster string) string {
			return "api-" + cluster + ` = { deployment_id = switchback_deployment.api.id, traffic = { service = { ports = { http = 80 } } }, ` + on(cluster) + ` }`
		}
		return l.config(l.application("api", tag, on("east", "west")), l.application("web", tag, on("east", "west")),
			group([]string{apiOn("east"), apiOn("west"), member("web")}, on("east", "west"),
				`waves = [{ members = ["api-east"], bake = "1s" }, { members = ["api-west", "web"] }]`))
	}
	all := func(tag string) {
		t.Helper()
		for _, name := range []string{"api", "web"} {
			p.both(func(l *lab) { l.wantAddress(name, tag) })
		}
	}
	w.apply(config("v1"))
	all("v1")
	w.wantMember("api-east", "split", map[string]any{"east": map[string]any{releaseOf("api", "v1"): 100}})
	w.wantMember("web", "split", map[string]any{"east": map[string]any{releaseOf("web", "v1"): 100}, "west": map[string]any{releaseOf("web", "v1"): 100}})
	w.wantNoChanges()

	p.proxy.SetFault(refusing("api"))
	w.applyFails(config("v2")).tells("not today", `The group "shop" is rolled_back`)
	p.proxy.SetFault(nil)
	all("v1")
	w.wantMember("api-east", "deployment_id", l.id("api", "v1"), "status", "rolled_back")

	// A cluster that is away changes nothing in the state.
	p.proxy.Down(t)
	before, _ := w.attributes(theGroup)
	w.refresh().warns("Cluster is unreachable", "west")
	if after, _ := w.attributes(theGroup); before["members"] == nil || !sameJSON(t, before, after) {
		t.Errorf("the state changed:\n%v\nand was:\n%v", after, before)
	}
	w.applyFails(config("v2")).tells("Cluster is unreachable", "west")
	p.proxy.Up(t)

	w.apply(config("v2"))
	all("v2")
	w.wantNoChanges()
	east.Check(t, drain)
	west.Check(t, drain)
	w.destroy()
	p.both((*lab).wantNothingLeft)
}

// An import of a group finds all clusters, and whose they are, or fails.
func groupImportedOnBoth(t *testing.T, p *pair) {
	l, w := p.east, p.east.inProcess()
	on1 := func(cluster string) string {
		return "api-" + cluster + ` = { deployment_id = switchback_deployment.api.id, traffic = { service = { ports = { http = 80 } } }, ` + on(cluster) + ` }`
	}
	config := l.config(l.application("api", "v1", on("east", "west")), l.application("web", "v1", on("east", "west")),
		group([]string{on1("east"), on1("west"), member("web")}, on("east", "west"), `waves = [{ members = ["api-west"] }, { members = ["api-east", "web"] }]`))
	w.apply(config)
	before := w.groupState()
	w.do("state", "rm", theGroup)
	p.proxy.Down(t)
	if code, text := w.exec("import", "-input=false", "-no-color", theGroup, l.namespace+"/shop"); code == 0 || !strings.Contains(text, "unreachable") || !strings.Contains(text, "west") {
		t.Errorf("an import that could not see every cluster: exit code %d\n%s", code, text)
	}
	w.wantAbsent(theGroup)
	p.proxy.Up(t)
	w.do("import", "-input=false", "-no-color", theGroup, l.namespace+"/shop")
	w.wantNoChanges()
	wantImported(t, before, w.groupState())
}

func sameJSON(t *testing.T, a, b any) bool {
	t.Helper()
	one, err1 := json.Marshal(a)
	other, err2 := json.Marshal(b)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return bytes.Equal(one, other)
}
