package release_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// declared are the values of a type's constants, as the package's source has them.
func declared(t *testing.T, typeName string) []string {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), entry.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			named, ok := spec.Type.(*ast.Ident)
			literal, isLiteral := spec.Values[0].(*ast.BasicLit)
			if !ok || !isLiteral || named.Name != typeName {
				return true
			}
			value, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, value)
			return true
		})
	}
	slices.Sort(values)
	return values
}

func texts[S ~string](values []S) []string {
	all := make([]string, len(values))
	for i, v := range values {
		all[i] = string(v)
	}
	slices.Sort(all)
	return all
}

// Nothing is declared that the tables do not know.
func TestListsAreWhole(t *testing.T) {
	for name, listed := range map[string][]string{
		"Status":       texts(release.Statuses()),
		"MainStatus":   texts(release.MainStatuses()),
		"Action":       texts(release.Actions()),
		"Kind":         texts(release.Kinds()),
		"Vocabulary":   texts(release.Vocabularies()),
		"Custody":      texts(release.Custodies()),
		"ClaimStep":    texts(release.ClaimSteps()),
		"PointerStep":  texts(release.PointerSteps()),
		"FailureScope": texts(release.FailureScopes()),
	} {
		if d := cmp.Diff(declared(t, name), listed); d != "" {
			t.Errorf("%s (-declared +listed):\n%s", name, d)
		}
	}
}

// into are the statuses of a deployment that an action may lead to at once.
var into = map[release.Action][]release.Status{
	release.ActionDeploy:    {release.StatusAwaitingApproval, release.StatusQueued, release.StatusBuilding, release.StatusStarting},
	release.ActionStop:      {release.StatusStopping},
	release.ActionStart:     {release.StatusStarting},
	release.ActionRestart:   {release.StatusRestarting},
	release.ActionCancel:    {release.StatusCancelled},
	release.ActionTerminate: {release.StatusTerminating},
}

// mainInto are the same of a main deployment.
var mainInto = map[release.Action][]release.MainStatus{
	release.ActionMarkMain: {release.MainAwaitingApproval, release.MainWaiting},
	release.ActionCancel:   {release.MainCancelling, release.MainCancelled},
	release.ActionRollBack: {release.MainRollingBack},
}

func TestDeploymentLifecycle(t *testing.T) {
	checkLifecycle(t, release.DeploymentLifecycle(), into, release.StatusTerminated)
	// It has no status of its own in a record.
	if release.CanBecome(release.StatusStopped, release.StatusDegraded) || !release.CanBecome(release.StatusStarted, release.StatusDegraded) {
		t.Error("only what is started can be degraded")
	}
	for _, status := range release.Statuses() {
		marks := slices.Contains(release.Allowed(status), release.ActionMarkMain)
		if marks != (status == release.StatusStarted || status == release.StatusPaused) { // all pods of that are ready, of either content
			t.Errorf("%s: mark main is allowed: %t", status, marks)
		}
		if !slices.Contains(release.Allowed(status), release.ActionDeploy) {
			t.Errorf("%s: the next apply cannot go on", status)
		}
	}
}

func TestMainLifecycle(t *testing.T) {
	checkLifecycle(t, release.MainLifecycle(), mainInto, release.MainFinalized)
	for _, status := range release.MainStatuses() {
		if !slices.Contains(release.MainAllowed(status), release.ActionMarkMain) {
			t.Errorf("%s: the next apply cannot go on", status)
		}
	}
	if slices.Contains(release.MainAllowed(release.MainFinalizing), release.ActionRollBack) {
		t.Error("while it finalizes, a promotion cannot be rolled back")
	}
}

// checkLifecycle makes sure that a table does not contradict itself: end can be
// reached from everywhere, everything can be reached from where a life begins,
// and an action is allowed exactly where what it leads to may follow.
func checkLifecycle[S ~string](t *testing.T, l release.Lifecycle[S], into map[release.Action][]S, end S) {
	t.Helper()
	seen, sentences := map[S]bool{}, map[string]S{}
	for _, stage := range l {
		if seen[stage.Status] {
			t.Errorf("%s has two rows", stage.Status)
		}
		seen[stage.Status] = true
		if !strings.HasSuffix(stage.Meaning, ".") || sentences[stage.Meaning] != "" {
			t.Errorf("%s means %q, like %s", stage.Status, stage.Meaning, sentences[stage.Meaning])
		}
		sentences[stage.Meaning] = stage.Status
		if !slices.Contains(release.Kinds(), stage.Kind) {
			t.Errorf("%s is of kind %q", stage.Status, stage.Kind)
		}
		if stage.Kind == release.KindTransient && len(stage.Next) == 0 {
			t.Errorf("%s is transient and leads nowhere", stage.Status)
		}
		if unique := slices.Compact(slices.Sorted(slices.Values(stage.Next))); len(unique) != len(stage.Next) || slices.Contains(unique, stage.Status) {
			t.Errorf("%s becomes %v", stage.Status, stage.Next)
		}
		for _, next := range stage.Next {
			if !l.CanBecome(stage.Status, next) {
				t.Errorf("%s becomes %q, which has no row", stage.Status, next)
			}
		}
		if len(stage.Next) == 0 {
			continue // deployed again, it is another life
		}
		for action, leads := range into {
			allowed := slices.Contains(stage.Allowed, action)
			possible := slices.ContainsFunc(leads, func(to S) bool { return l.CanBecome(stage.Status, to) })
			if allowed && !possible && action != release.ActionDeploy {
				t.Errorf("%s allows %s, but can become none of %v", stage.Status, action, leads)
			}
		}
	}
	var first []S
	for _, stage := range l {
		if stage.First {
			first = append(first, stage.Status)
		}
		if !l.CanBecome("", stage.Status) == stage.First {
			t.Errorf("a life begins as %s: %t", stage.Status, !stage.First)
		}
		if !reach(l, stage.Status)[end] && stage.Status != end {
			t.Errorf("%s never becomes %s", stage.Status, end)
		}
	}
	if all := reach(l, first...); len(all) != len(l) {
		t.Errorf("only %v are ever reached", slices.Collect(maps.Keys(all)))
	}
}

// What is only planned is in the table, so that nothing contradicts it, and is shown
// nowhere.
func TestShownIsWithoutWhatIsPlanned(t *testing.T) {
	all, shown := release.DeploymentLifecycle(), release.DeploymentLifecycle().Shown()
	for _, stage := range all {
		if _, there := shown.Of(stage.Status); there == stage.Planned {
			t.Errorf("%s is planned: %t, shown: %t", stage.Status, stage.Planned, there)
		}
	}
	for _, stage := range shown {
		for _, next := range stage.Next {
			if _, there := shown.Of(next); !there {
				t.Errorf("%s becomes %s, which is not shown", stage.Status, next)
			}
		}
	}
	if len(shown) == len(all) {
		t.Error("nothing is planned any more: remove Planned")
	}
}

func reach[S ~string](l release.Lifecycle[S], from ...S) map[S]bool {
	reached := map[S]bool{}
	for len(from) > 0 {
		status := from[0]
		from = from[1:]
		if reached[status] {
			continue
		}
		reached[status] = true
		stage, _ := l.Of(status)
		from = append(from, stage.Next...)
	}
	return reached
}

func TestUnknownStatus(t *testing.T) {
	if release.CanBecome("newer", release.StatusStarted) || release.CanBecome(release.StatusStarted, "newer") || release.CanBecome("", "newer") || release.CanBecome("newer", "newer") {
		t.Error("a status that is not known became something")
	}
	if release.Status("newer").Kind() != "" || release.MainStatus("newer").Kind() != "" {
		t.Error("a status that is not known has a kind")
	}
	err := release.Check(release.ActionStop, release.Standing{Status: "newer"})
	mainErr := release.CheckMain(release.ActionMarkMain, release.MainStanding{Status: "newer"})
	for _, err := range []error{err, mainErr} {
		if err == nil || !strings.Contains(err.Error(), "upgrade") || !strings.Contains(err.Error(), "Nothing is allowed") {
			t.Errorf("got %v", err)
		}
	}
	if err := release.Check("other", release.Standing{Status: release.StatusStarted}); err == nil || !strings.Contains(err.Error(), "no such action") {
		t.Errorf("got %v", err)
	}
	if release.Action("other").Meaning() != "" {
		t.Error("an action that is not known means something")
	}
}

func TestKinds(t *testing.T) {
	if release.StatusStarted.Kind() != release.KindSettled || release.StatusStarting.Kind() != release.KindTransient || release.MainFailed.Kind() != release.KindError {
		t.Error("kinds are mixed up")
	}
}

func TestCheck(t *testing.T) {
	on := release.Standing{Cluster: "prod", ID: release.ID{Namespace: "shop", Name: "api-7f3c9a1e"}}
	serving := "it is the main deployment of shop/api"
	for _, tc := range []struct {
		action  release.Action
		status  release.Status
		carries string
		want    string // in the error; empty: allowed
	}{
		{release.ActionStop, release.StatusStarted, "", ""},
		{release.ActionStop, release.StatusStarted, serving, `cannot stop: the deployment shop/api-7f3c9a1e on cluster "prod" has status "started", and it is the main deployment of shop/api: mark another deployment main first. Allowed now: deploy, redeploy, restart, terminate, mark main`},
		{release.ActionStop, release.StatusStarting, serving, "mark another deployment main first"},
		{release.ActionStop, release.StatusTerminating, serving, "no pods to stop"},
		{release.ActionStop, release.StatusStopped, "", ""},
		{release.ActionStart, release.StatusStarted, "", ""},
		{release.ActionStart, release.StatusTerminating, "", "only what was stopped, was cancelled or failed can be started. Allowed now: deploy, redeploy, terminate"},
		{release.ActionRestart, release.StatusStopped, "", "only what is started can be restarted"},
		{release.ActionRestart, release.StatusStarted, serving, ""},
		{release.ActionCancel, release.StatusStarted, "", "nothing is under way"},
		{release.ActionForget, release.StatusStarted, "", "terminate it first"},
		{release.ActionForget, release.StatusTerminated, "", ""},
		{release.ActionRedeploy, release.StatusTerminated, "", "nothing to deploy once more"},
		{release.ActionTerminate, release.StatusTerminated, "", ""},
		{release.ActionTerminate, release.StatusStarted, serving, ""},
		{release.ActionMarkMain, release.StatusStarting, "", `cannot be made main: the deployment shop/api-7f3c9a1e on cluster "prod" has status "starting", and only a started deployment`},
		{release.ActionRollBack, release.StatusStarted, "", "nothing to go back from"},
	} {
		on.Status, on.Carries = tc.status, tc.carries
		err := release.Check(tc.action, on)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s in %s, carries %q: got %v, want %q", tc.action, tc.status, tc.carries, err, tc.want)
		}
		var refused *release.ActionError
		if err != nil && (!errors.As(err, &refused) || refused.Action != tc.action || slices.Contains(refused.Allowed, tc.action)) {
			t.Errorf("%#v", err)
		}
	}
}

func TestCheckMain(t *testing.T) {
	for _, tc := range []struct {
		action release.Action
		status release.MainStatus
		want   string
	}{
		{release.ActionMarkMain, release.MainFinalized, ""},
		{release.ActionCancel, release.MainRunning, ""},
		{release.ActionCancel, release.MainCancelled, ""},
		{release.ActionCancel, release.MainFinalizing, "nothing is under way that can be cancelled. Allowed now: mark main, terminate"},
		{release.ActionRollBack, release.MainFinalized, ""},
		{release.ActionRollBack, release.MainFinalizing, "mark the former deployment main instead"},
		{release.ActionStop, release.MainFinalized, "an action of deployments"},
	} {
		err := release.CheckMain(tc.action, release.MainStanding{Cluster: "prod", ID: "shop/api", Status: tc.status})
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s in %s: got %v, want %q", tc.action, tc.status, err, tc.want)
		}
	}
}

// Every refusal says where, why and what else, and every action has a sentence.
func TestEveryRefusal(t *testing.T) {
	for _, action := range release.Actions() {
		if !strings.HasSuffix(action.Meaning(), ".") {
			t.Errorf("%s means %q", action, action.Meaning())
		}
		for _, status := range release.Statuses() {
			for _, carries := range []string{"", "a Service selects its pods"} {
				err := release.Check(action, release.Standing{Cluster: "prod", Status: status, Carries: carries})
				if carries != "" && action == release.ActionStop && err == nil && status != release.StatusStopped {
					t.Errorf("what carries traffic may be stopped in %s", status)
				}
				if err != nil && (strings.Contains(err.Error(), "no such action") || !strings.Contains(err.Error(), "Allowed now: ")) {
					t.Errorf("%v", err)
				}
			}
		}
	}
}

// What is taken from a table is not the table.
func TestAllowedIsACopy(t *testing.T) {
	release.Allowed(release.StatusStarted)[0] = "other"
	release.MainAllowed(release.MainFinalized)[0] = "other"
	if release.Allowed(release.StatusStarted)[0] == "other" || release.MainAllowed(release.MainFinalized)[0] == "other" {
		t.Error("a caller changed the table")
	}
}

// A word of another platform is claimed for one status of a resource, and is
// one that this platform has.
func TestVocabularies(t *testing.T) {
	for _, v := range release.Vocabularies() {
		for name, claimed := range map[string][]string{
			"deployments": elsewhere(release.DeploymentLifecycle(), v),
			"mains":       elsewhere(release.MainLifecycle(), v),
		} {
			slices.Sort(claimed)
			if len(slices.Compact(slices.Clone(claimed))) != len(claimed) {
				t.Errorf("%s: %s claim a word twice: %v", v, name, claimed)
			}
			for _, word := range claimed {
				if !slices.Contains(v.Words(), word) {
					t.Errorf("%s has no word %q", v, word)
				}
			}
		}
	}
}

func elsewhere[S ~string](l release.Lifecycle[S], v release.Vocabulary) []string {
	var claimed []string
	for _, stage := range l {
		if word := stage.Elsewhere[v]; word != "" {
			claimed = append(claimed, word)
		}
	}
	return claimed
}
