package provider_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

const (
	deploymentType = "switchback_deployment"
	mainType       = "switchback_main_deployment"
)

func (l *lab) deploymentData(tag string) data {
	return data{
		"application": "api", "namespace": l.namespace, "image": "demo/api:" + tag, "replicas": 1, "on_failure": "stop", "pod_security": "baseline",
		"container": data{"ports": data{"http": 8080}},
	}
}

// mainData points at the first version.
func (l *lab) mainData() data {
	return data{
		"application": "api", "namespace": l.namespace, "deployment_id": l.namespace + "/" + nameOf("v1"), "drain": "1s",
		"traffic": data{"service": data{"ports": data{"http": 80}, "type": "ClusterIP", "session_affinity": "None"}}, "keep_previous": data{"count": 1},
	}
}

// Every answer that has a state has the identity too, also where the operation
// failed; and what is known by its identity is the same as by its id.
func TestIdentity(t *testing.T) {
	l := newLab(t)
	proxy := l.cluster.Proxy(t)
	p := l.speakThrough(proxy)
	deployment := data{"namespace": l.namespace, "name": nameOf("v1")}
	main := data{"namespace": l.namespace, "application": "api"}

	made := p.change(t.Context(), deploymentType, l.deploymentData("v1"), nil)
	p.fine(made.diagnostics)
	wantSame(t, "identity after create", made.identity, deployment)
	pointed := p.change(t.Context(), mainType, l.mainData(), nil)
	p.fine(pointed.diagnostics)
	wantSame(t, "identity after create of main", pointed.identity, main)

	for _, test := range []struct {
		typeName, id string
		identity     data
	}{
		{deploymentType, l.namespace + "/" + nameOf("v1"), deployment},
		{mainType, l.namespace + "/api", main},
	} {
		byID, byIdentity := p.importBy(test.typeName, test.id, nil), p.importBy(test.typeName, "", test.identity)
		p.fine(append(byID.diagnostics, byIdentity.diagnostics...))
		wantSame(t, "identity after an import by id", byID.identity, test.identity)
		wantSame(t, "identity after an import by identity", byIdentity.identity, test.identity)
		wantSame(t, "state after an import by identity", byIdentity.state, byID.state)
		if byID.state["status"] == nil {
			t.Errorf("the import of %s has rebuilt nothing", test.id)
		}
	}

	// In place, well and not.
	more := l.deploymentData("v1")
	more["replicas"] = 2
	grown := p.change(t.Context(), deploymentType, more, made.state)
	p.fine(grown.diagnostics)
	wantSame(t, "identity after update", grown.identity, deployment)
	proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Write() {
			return testcluster.Reject(http.StatusForbidden, metav1.StatusReasonForbidden, "not today")
		}
		return testcluster.Fault{}
	})
	more["replicas"] = 3
	failed := p.change(t.Context(), deploymentType, more, grown.state)
	wantSays(t, failed.diagnostics, tfprotov6.DiagnosticSeverityError, "not today")
	wantSame(t, "identity after a failed update", failed.identity, deployment)
	if failed.state == nil {
		t.Error("a failed update has no state")
	}
	moved := l.mainData()
	moved["drain"] = "2s"
	stuck := p.change(t.Context(), mainType, moved, pointed.state)
	wantSays(t, stuck.diagnostics, tfprotov6.DiagnosticSeverityError, "not today")
	wantSame(t, "identity after a failed update of main", stuck.identity, main)
	proxy.SetFault(nil)
}

// A state of a provider that knew no identity gets one at its next refresh,
// even if the cluster does not answer.
func TestIdentityOfFormerStates(t *testing.T) {
	l := newLab(t)
	proxy := l.cluster.Proxy(t)
	p := l.speakThrough(proxy)
	made := p.change(t.Context(), deploymentType, l.deploymentData("v1"), nil)
	p.fine(made.diagnostics)
	pointed := p.change(t.Context(), mainType, l.mainData(), nil)
	p.fine(pointed.diagnostics)
	check := func(p *protocol) {
		t.Helper()
		read := p.read(deploymentType, p.pack(p.resourceType(deploymentType), made.state), nil, nil)
		p.fine(read.diagnostics)
		wantSame(t, "identity", read.identity, data{"namespace": l.namespace, "name": nameOf("v1")})
		read = p.read(mainType, p.pack(p.resourceType(mainType), pointed.state), nil, nil)
		p.fine(read.diagnostics)
		wantSame(t, "identity of main", read.identity, data{"namespace": l.namespace, "application": "api"})
	}
	check(p)
	proxy.Down(t)
	check(l.speakThrough(proxy))
}

// An interrupted create keeps its state, and so its identity.
func TestIdentityOfAnInterruptedCreate(t *testing.T) {
	l := newLab(t)
	proxy := l.cluster.Proxy(t)
	p := l.speakThrough(proxy)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	proxy.SetFault(func(r *testcluster.Request, _ int) testcluster.Fault {
		if r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/deployments/"+nameOf("slow")) {
			return testcluster.Fault{}.AfterReply(interrupt)
		}
		return testcluster.Fault{}
	})
	made := p.change(ctx, deploymentType, l.deploymentData("slow"), nil)
	p.fine(made.diagnostics)
	wantSame(t, "status", made.state["status"], "cancelled")
	wantSame(t, "identity", made.identity, data{"namespace": l.namespace, "name": nameOf("slow")})
}

func TestImportByAnIdentityThatIsNone(t *testing.T) {
	l := newLab(t)
	p := l.speak()
	for _, test := range []struct {
		typeName string
		identity data
		says     string
	}{
		{deploymentType, data{"namespace": l.namespace, "name": "api"}, "8 characters of its content hash"},
		{deploymentType, data{"namespace": "", "name": nameOf("v1")}, "namespace/name"},
		{deploymentType, data{"namespace": "a/b", "name": nameOf("v1")}, "namespace/name"},
		{mainType, data{"namespace": l.namespace, "application": ""}, "namespace/application"},
	} {
		wantSays(t, p.importBy(test.typeName, "", test.identity).diagnostics, tfprotov6.DiagnosticSeverityError, test.says)
	}
	gone := p.importBy(deploymentType, "", data{"namespace": l.namespace, "name": nameOf("v9")})
	p.fine(gone.diagnostics)
	if gone.state != nil {
		t.Errorf("what is not there was imported: %v", gone.state)
	}
}

// The same through a CLI: what it can do by identity, and that one that cannot
// is not in the way of anything.
func TestAccImportByIdentity(t *testing.T) {
	l := newLab(t)
	cli, err := terraformCLI()
	l.must(err)
	first, w := l.workspace(), l.workspace()
	config := func(tag string) string {
		return l.config(l.deployment(image(tag), createFirst), l.main(keepPrevious(1)))
	}
	first.apply(config("v1"))
	block := fmt.Sprintf("import {\n  to = %s\n  identity = { namespace = %q, name = %q }\n}\nimport {\n  to = %s\n  identity = { namespace = %q, application = \"api\" }\n}\n",
		theDeployment, l.namespace, nameOf("v1"), theMain, l.namespace)
	if !can(t, cli, importByIdentity) {
		r := w.tryApply(config("v1") + block)
		if !r.failed || !strings.Contains(r.messages("error"), "identity") {
			t.Errorf("this CLI knows identities: correct the table of features\n%s", r.messages(""))
		}
		return
	}
	w.apply(config("v1")+block).wantActions(theDeployment, "import", theMain, "import")
	w.write(config("v1"))
	w.wantNoChanges()
	// The identity goes with a replacement, and only then.
	w.apply(config("v2"))
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}
