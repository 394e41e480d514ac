package provider_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

const (
	sides  = `for_each = { blue = "v1", green = "v1" }`
	tagged = `image = "demo/api:${each.value}"`
)

// wantTwins fails the test unless a plan is refused because two resources are one
// deployment, at the attribute that makes them two.
func (w *workspace) wantTwins(config string, words ...string) {
	w.t.Helper()
	w.write(config)
	r := w.run("plan", "-json", "-input=false", "-no-color")
	if !r.failed {
		w.t.Fatalf("it is planned:\n%s", r.messages(""))
	}
	r.tells(append([]string{"Two resources are one deployment"}, words...)...)
}

// TestAccTwinsAreRefusedAtPlan: two resources of the same content would be one
// deployment. Nothing is written before that is told.
func TestAccTwinsAreRefusedAtPlan(t *testing.T) {
	for name, twins := range map[string]func(l *lab) string{
		"for_each": func(l *lab) string { return l.config(l.deployment(sides, tagged)) },
		"two blocks": func(l *lab) string {
			return l.config(l.deploymentNamed("one"), l.deploymentNamed("two"))
		},
		"one after the other": func(l *lab) string {
			return l.config(l.deploymentNamed("one"), l.deploymentNamed("two", `depends_on = [switchback_deployment.one]`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			w := l.inProcess()
			w.wantTwins(twins(l), "triggers", l.namespace+"/"+nameOf("v1"))
			w.applyFails(twins(l)).tells("Two resources are one deployment")
			l.wantNothingLeft()
		})
	}
}

// TestAccTwinOfWhatIsThereIsRefused: whichever of the two is planned first.
func TestAccTwinOfWhatIsThereIsRefused(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	one, two := l.deploymentNamed("one"), l.deploymentNamed("two", image("v2"))
	w.apply(l.config(one))
	w.wantTwins(l.config(one, l.deploymentNamed("two")), "triggers")
	w.wantTwins(l.config(one, l.deploymentNamed("two", `depends_on = [switchback_deployment.one]`)), "triggers")
	w.wantTwins(l.config(l.deploymentNamed("one", `depends_on = [switchback_deployment.two]`), l.deploymentNamed("two")), "triggers")
	w.apply(l.config(one, two))
	w.wantTwins(l.config(one, l.deploymentNamed("two")), "triggers")                                // it would come to the first one's
	w.apply(l.config(l.deploymentNamed("one", image("v2")), l.deploymentNamed("two", image("v3")))) // it takes what the other leaves
	w.wantTwins(l.config(l.deploymentNamed("one", image("v3")), l.deploymentNamed("two", image("v3"))), "triggers")
	w.apply(l.config(one, l.deploymentNamed("two", `triggers = { side = "two" }`)))
	w.wantNoChanges()
	w.destroy()
	l.wantNothingLeft()
}

// TestAccTwinsInPlaceAreRefused: there, what names the deployment is its application.
func TestAccTwinsInPlaceAreRefused(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	rolling := strategy(release.StrategyRolling)
	w.wantTwins(l.config(l.deploymentNamed("one", rolling), l.deploymentNamed("two", rolling, image("v2"))), "different `application`", l.namespace+"/"+inPlaceName)
	w.apply(l.config(l.deploymentNamed("one", rolling), l.deploymentNamed("two", rolling, `application = "web"`)))
	w.wantNoChanges()
}

// TestAccTwinsFoundOnlyAtApply: contents that are not known at plan turn out to be the
// same. The second one is refused before it has claimed anything.
func TestAccTwinsFoundOnlyAtApply(t *testing.T) {
	l := newLab(t)
	w := l.workspace()
	later := `resource "terraform_data" "tag" { input = "demo/api:v1" }`
	config := l.config(later, l.deployment(`for_each = toset(["blue", "green"])`, `image = terraform_data.tag.output`))
	w.applyFails(config).tells("Two resources are one deployment", "triggers")
	l.wantPods(nameOf("v1"), 1)
}

// TestAccTwinsThatAreThereAreToldOf: a state of before has two resources with one
// deployment. What else is planned goes on, and so do their destroys.
func TestAccTwinsThatAreThereAreToldOf(t *testing.T) {
	l := newLab(t)
	w, other := l.inProcess(), l.inProcess()
	one, two := l.deploymentNamed("one"), l.deploymentNamed("two")
	w.apply(l.config(one))
	other.apply(l.config(two)).warns("Existing deployment adopted")
	w.moveIn(other)
	w.write(l.config(one, two))
	w.wantNoChanges().warns("Two resources are one deployment")
	w.apply(l.config(l.deploymentNamed("one", `triggers = { side = "one" }`), two))
	if r := w.wantNoChanges(); strings.Contains(r.text, "Two resources") {
		t.Errorf("it says\n%s", r.text)
	}
	w.destroy()
	l.wantNothingLeft()
}

// moveIn adds the resources of another workspace's state to this one's.
func (w *workspace) moveIn(other *workspace) {
	w.t.Helper()
	var ours, theirs map[string]any
	for text, into := range map[string]*map[string]any{w.StateText(w.t): &ours, other.StateText(w.t): &theirs} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			w.t.Fatal(err)
		}
	}
	ours["resources"] = append(ours["resources"].([]any), theirs["resources"].([]any)...)
	text, err := json.Marshal(ours)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Write(w.t, "terraform.tfstate", string(text))
}

// TestAccTwinsThroughTheCLI: a real Terraform, with the provider as a program of its
// own, asks for everything that plans one resource more than once. Twins are refused;
// nothing else is.
func TestAccTwinsThroughTheCLI(t *testing.T) {
	everyOrder(t, func(l *lab, lifecycle ...string) {
		w := l.workspace()
		w.useProgram()
		config := func(blue, green string) string {
			sides := `for_each = { blue = "` + blue + `", green = "` + green + `" }`
			return l.config(l.deployment(append(lifecycle, sides, tagged)...), l.main(`deployment_id = switchback_deployment.api["blue"].id`))
		}
		blue := theDeployment + `["blue"]`
		w.wantTwins(config("v1", "v1"), "triggers")
		l.wantReleases()
		w.apply(config("v1", "v2"))
		w.apply(config("v3", "v2")) // a bump
		w.apply(config("v1", "v2")) // and back
		w.apply(config("v1", "v2"), "-replace="+blue)
		w.do("taint", blue)
		w.apply(config("v1", "v2"))
		w.wantTwins(config("v2", "v2"), "triggers")
		w.apply(config("v2", "v1")) // they change places
		w.write(config("v3", "v1"))
		w.do("plan", "-out=plan", "-input=false", "-no-color")
		w.do("apply", "-input=false", "-no-color", "plan")
		w.wantNoChanges()
		w.destroy()
		l.wantNothingLeft()
	})
}

// TestAccTestsPlanTwice: terraform test applies, for each run: a plan and an apply, and
// another plan, of one resource.
func TestAccTestsPlanTwice(t *testing.T) {
	l := newLab(t)
	w := l.workspace()
	w.useProgram()
	w.write(l.config(l.deployment()))
	l.must(os.Mkdir(filepath.Join(w.Dir, "tests"), 0o755))
	w.Write(t, filepath.Join("tests", "twice.tftest.hcl"), l.provider+`
run "planned" { command = plan }
run "applied" {}
run "again" {}
`)
	if text := w.do("test", "-no-color"); !strings.Contains(text, "3 passed, 0 failed") {
		t.Errorf("it says\n%s", text)
	}
}

// TestAProcessOfSeveralWalksKnowsNoTwins: a provider that is configured once for all
// that a file of tests does is asked for the same resource again. Only what core has
// validated, it configures for one walk.
func TestAProcessOfSeveralWalksKnowsNoTwins(t *testing.T) {
	l := newLab(t)
	for _, oneWalk := range []bool{false, true} {
		p := l.speak()
		if oneWalk {
			config := p.pack(p.schemas.Provider.ValueType(), data{"clusters": data{"default": data{"config_path": l.cluster.KubeconfigPath}}})
			if _, err := p.server.ValidateProviderConfig(t.Context(), &tfprotov6.ValidateProviderConfigRequest{Config: config}); err != nil {
				t.Fatal(err)
			}
			if _, err := p.server.ConfigureProvider(t.Context(), &tfprotov6.ConfigureProviderRequest{TerraformVersion: "1.14.0", Config: config}); err != nil {
				t.Fatal(err)
			}
		}
		typ := p.resourceType("switchback_deployment")
		for n := range 2 {
			config := p.pack(typ, l.deploymentData("v1"))
			resp, err := p.server.PlanResourceChange(t.Context(), &tfprotov6.PlanResourceChangeRequest{
				TypeName: "switchback_deployment", Config: config, PriorState: p.packed(typ, nil), ProposedNewState: config,
			})
			if err != nil {
				t.Fatal(err)
			}
			text := said(resp.Diagnostics, tfprotov6.DiagnosticSeverityError)
			if refused := strings.Contains(text, "Two resources are one deployment"); refused != (oneWalk && n == 1) {
				t.Errorf("plan %d, with one walk: %t, says %s", n+1, oneWalk, text)
			}
		}
	}
}
