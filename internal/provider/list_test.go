package provider_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// listing is what a list block found.
type listing struct {
	t           *testing.T
	names       []string // as they are displayed, in order
	identities  []data
	resources   []data
	diagnostics []*tfprotov6.Diagnostic
}

// list runs a list block. Like Terraform, it stops listening at an error.
func (p *protocol) list(typeName string, config data, includeResource bool, limit int64) listing {
	p.t.Helper()
	server, ok := p.server.(tfprotov6.ListResourceServer)
	if !ok {
		p.t.Fatal("the provider lists nothing")
	}
	typ := p.schemas.ListResourceSchemas[typeName].ValueType()
	validated, err := server.ValidateListResourceConfig(p.t.Context(), &tfprotov6.ValidateListResourceConfigRequest{TypeName: typeName, Config: p.pack(typ, config)})
	if err != nil {
		p.t.Fatal(err)
	}
	out := listing{t: p.t, diagnostics: validated.Diagnostics}
	if len(validated.Diagnostics) > 0 {
		return out
	}
	stream, err := server.ListResource(p.t.Context(), &tfprotov6.ListResourceRequest{TypeName: typeName, Config: p.pack(typ, config), IncludeResource: includeResource, Limit: limit})
	if err != nil {
		p.t.Fatal(err)
	}
	for result := range stream.Results {
		out.diagnostics = append(out.diagnostics, result.Diagnostics...)
		if said(result.Diagnostics, tfprotov6.DiagnosticSeverityError) != "" {
			break
		}
		if result.Identity == nil || result.Identity.IdentityData == nil {
			continue
		}
		out.names = append(out.names, result.DisplayName)
		out.identities = append(out.identities, p.identity(typeName, result.Identity))
		out.resources = append(out.resources, p.unpack(p.resourceType(typeName), result.Resource))
	}
	return out
}

// wants fails the test unless exactly these were found.
func (l listing) wants(names ...string) listing {
	l.t.Helper()
	if !slices.Equal(l.names, names) {
		l.t.Errorf("found %q, want %q\n%s", l.names, names, said(l.diagnostics, tfprotov6.DiagnosticSeverityError))
	}
	return l
}

func (l listing) fine() listing {
	l.t.Helper()
	for _, d := range l.diagnostics {
		l.t.Errorf("%s: %s", d.Summary, d.Detail)
	}
	return l
}

func TestList(t *testing.T) {
	l := newLab(t)
	proxy := l.cluster.Proxy(t)
	p := l.speakThrough(proxy)
	for _, tag := range []string{"v1", "v2"} {
		p.fine(p.change(t.Context(), deploymentType, l.deploymentData(tag), nil).diagnostics)
	}
	p.fine(p.change(t.Context(), mainType, l.mainData(), nil).diagnostics)
	web := l.deploymentData("v1")
	web["application"] = "web"
	other := p.change(t.Context(), deploymentType, web, nil)
	p.fine(other.diagnostics)
	webName := other.state["name"].(string)

	api := []string{nameOf("v1") + " (v1, started)", nameOf("v2") + " (v2, started)"}
	slices.Sort(api)
	all := append(slices.Clone(api), webName+" (v1, started)")
	of := func(more data) data {
		config := data{"namespace": l.namespace}
		for name, v := range more {
			config[name] = v
		}
		return config
	}

	// A new process reads each kind once, however much there is.
	proxy.Reset()
	p = l.speakThrough(proxy)
	found := p.list(deploymentType, of(nil), false, 0).fine().wants(all...)
	for i, identity := range found.identities {
		wantSame(t, "identity", identity, data{"namespace": l.namespace, "name": strings.Fields(all[i])[0]})
		if found.resources[i] != nil {
			t.Errorf("%s comes with its resource, which was not asked for", all[i])
		}
	}
	reads := map[string]int{}
	for _, r := range proxy.Requests() {
		if strings.Contains(r.Path, "/namespaces/"+l.namespace+"/") && !r.Watch() {
			reads[r.Path]++
		}
	}
	for path, n := range reads {
		if n > 1 {
			t.Errorf("%s was read %d times", path, n)
		}
	}
	if len(reads) > 3 {
		t.Errorf("more was read than three kinds: %v", reads)
	}

	p.list(deploymentType, of(data{"application": "api"}), false, 0).fine().wants(api...)
	p.list(deploymentType, of(data{"application": "none"}), false, 0).fine().wants()
	p.list(deploymentType, of(data{"clusters": []string{"default"}}), false, 2).fine().wants(all[:2]...)
	p.list(mainType, of(nil), false, 0).fine().wants("api (main is " + nameOf("v1") + ")")
	p.list(mainType, of(data{"application": "web"}), false, 0).fine().wants()

	// With the resource: what an import of it gives.
	whole := p.list(deploymentType, of(nil), true, 0).fine().wants(all...)
	for i, resource := range whole.resources {
		id := l.namespace + "/" + strings.Fields(all[i])[0]
		wantSame(t, "resource "+id, resource, p.importBy(deploymentType, id, nil).state)
	}
	mains := p.list(mainType, of(nil), true, 0).fine()
	wantSame(t, "resource of main", mains.resources[0], p.importBy(mainType, l.namespace+"/api", nil).state)
	wantSame(t, "identity of main", mains.identities[0], data{"namespace": l.namespace, "application": "api"})

	// What is on its way out cannot be imported any more.
	l.terminating(webName)
	l.speak().list(deploymentType, of(nil), false, 0).fine().wants(api...)
}

// terminating makes a record look like that of a removal that was killed.
func (l *lab) terminating(name string) {
	l.t.Helper()
	l.editRecord(name, func(r *release.Record) {
		r.Custody, r.Status = release.CustodyTerminating, release.StatusTerminating
	})
}

// editRecord changes what is written down of a release.
func (l *lab) editRecord(name string, edit func(*release.Record)) {
	l.t.Helper()
	client := l.cluster.Client().CoreV1().ConfigMaps(l.namespace)
	cm, err := client.Get(l.t.Context(), name, metav1.GetOptions{})
	l.must(err)
	record, err := release.ParseRecord(cm.Data)
	l.must(err)
	edit(record)
	cm.Data, err = record.Marshal()
	l.must(err)
	_, err = client.Update(l.t.Context(), cm, metav1.UpdateOptions{})
	l.must(err)
}

// A cluster that cannot be read is told. What was found without it is not
// handed over as a resource, which would look complete.
func TestListWithoutACluster(t *testing.T) {
	l := newLab(t)
	proxy := l.cluster.Proxy(t)
	clusters := map[string]string{"east": l.cluster.KubeconfigPath, "west": proxy.KubeconfigPath}
	p := speak(t, map[string]string{"east": l.cluster.KubeconfigPath})
	p.fine(p.change(t.Context(), deploymentType, l.deploymentData("v1"), nil).diagnostics)
	p.fine(p.change(t.Context(), mainType, l.mainData(), nil).diagnostics)
	proxy.Down(t)

	for typeName, name := range map[string]string{deploymentType: nameOf("v1") + " (v1, started)", mainType: "api (main is " + nameOf("v1") + ")"} {
		p := speak(t, clusters)
		found := p.list(typeName, data{"namespace": l.namespace}, false, 0).wants(name)
		wantSays(t, found.diagnostics, tfprotov6.DiagnosticSeverityWarning, "unreachable", "west", "missing from this list")
		p.fine(found.diagnostics)
		whole := p.list(typeName, data{"namespace": l.namespace}, true, 0).wants()
		wantSays(t, whole.diagnostics, tfprotov6.DiagnosticSeverityError, "unreachable", "west")
		p.list(typeName, data{"namespace": l.namespace, "clusters": []string{"east"}}, true, 0).fine().wants(name)
		wrong := p.list(typeName, data{"namespace": l.namespace, "clusters": []string{"north"}}, false, 0).wants()
		wantSays(t, wrong.diagnostics, tfprotov6.DiagnosticSeverityError, "Unknown cluster", "clusters", `"east", "west"`)
		wantSays(t, p.list(typeName, data{"namespace": ""}, false, 0).wants().diagnostics, tfprotov6.DiagnosticSeverityError, "namespace")
		wantSays(t, p.list(typeName, data{"namespace": l.namespace, "clusters": []string{}}, false, 0).wants().diagnostics, tfprotov6.DiagnosticSeverityError, "clusters")
	}
}

// A group is one, whatever it has for members, which are no main deployments.
func TestListOfGroups(t *testing.T) {
	l := newLab(t)
	proxy := l.cluster.Proxy(t)
	w := l.inProcess()
	w.apply(l.config(l.application("api", "v1"), l.application("web", "v1"), l.application("other", "v1"),
		group([]string{member("api"), member("web")}, apiThenWeb),
		block(`resource "switchback_main_deployment" "other"`, []string{
			`application = "other"`, fmt.Sprintf("namespace = %q", l.namespace), "deployment_id = switchback_deployment.other.id", "traffic = { service = { ports = { http = 80 } } }", `drain = "1s"`,
		})))
	p := l.speak()
	whole := p.list(groupType, data{"namespace": l.namespace}, true, 0).fine().wants("shop (api, web)")
	wantSame(t, "identity", whole.identities[0], data{"namespace": l.namespace, "name": "shop"})
	wantSame(t, "resource", whole.resources[0], p.importBy(groupType, l.namespace+"/shop", nil).state)
	p.list(groupType, data{"namespace": l.namespace, "application": "web"}, false, 0).fine().wants("shop (api, web)")
	p.list(groupType, data{"namespace": l.namespace, "application": "other"}, false, 0).fine().wants()
	p.list(mainType, data{"namespace": l.namespace}, true, 0).fine().wants("other (main is " + releaseOf("other", "v1") + ")")

	proxy.Down(t)
	p = speak(t, map[string]string{"default": l.cluster.KubeconfigPath, "west": proxy.KubeconfigPath})
	found := p.list(groupType, data{"namespace": l.namespace}, false, 0).wants("shop (api, web)")
	wantSays(t, found.diagnostics, tfprotov6.DiagnosticSeverityWarning, "unreachable", "west", "missing from this list")
	wantSays(t, p.list(groupType, data{"namespace": l.namespace}, true, 0).wants().diagnostics, tfprotov6.DiagnosticSeverityError, "unreachable", "west")
}

// The same through a CLI that has queries; one that has none says so.
func TestAccQuery(t *testing.T) {
	l := newLab(t)
	cli, err := terraformCLI()
	l.must(err)
	w := l.inProcess()
	w.apply(l.config(l.deployment(), l.main()))
	query := fmt.Sprintf("list %q \"all\" {\n  provider = switchback\n  config { namespace = %q }\n}\nlist %q \"all\" {\n  provider = switchback\n  config { namespace = %q }\n}\n",
		deploymentType, l.namespace, mainType, l.namespace)
	l.must(os.WriteFile(filepath.Join(w.Dir, "all.tfquery.hcl"), []byte(query), 0o600))
	code, text := w.exec("query", "-no-color")
	if !can(t, cli, queries) {
		if code == 0 {
			t.Errorf("this CLI has queries: correct the table of features\n%s", text)
		}
		return
	}
	if code != 0 || !strings.Contains(text, nameOf("v1")) {
		t.Errorf("exit code %d\n%s", code, text)
	}
}
