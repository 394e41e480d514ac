package provider_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// data is a data source in the lab's namespace.
func (l *lab) data(kind, name string, lines ...string) string {
	return block(fmt.Sprintf("data %q %q", "switchback_"+kind, name), append([]string{fmt.Sprintf("namespace = %q", l.namespace)}, lines...))
}

// read is what a data source said in the last apply, or a resource.
func read[T any](w *workspace, address string) (into T) {
	w.t.Helper()
	for _, i := range w.State(w.t).At(address) {
		if i.Deposed != "" {
			continue
		}
		if err := i.Decode(&into); err != nil {
			w.t.Fatalf("%s: %v, %v", address, i.Attributes, err)
		}
		return into
	}
	w.t.Fatalf("the state has no %s", address)
	return into
}

type shownRelease struct {
	ID, Name, Application, Cluster, Version, Environment, Status, Custody string
	StatusReason                                                          string `json:"status_reason"`
	Main, Previous, Retained, Condemned                                   bool
	PreviousPosition                                                      *int `json:"previous_position"`
	Replicas                                                              int
	ReadyReplicas                                                         int    `json:"ready_replicas"`
	CreatedAt                                                             string `json:"created_at"`
	CreatedBy                                                             string `json:"created_by"`
	Collected                                                             bool   `json:"collected_at_next_promotion"`
	CollectReason                                                         string `json:"collect_reason"`
	KeptUntil                                                             string `json:"kept_until"`
}

type shownReleases struct{ Deployments []shownRelease }

func (s shownReleases) names() []string {
	var names []string
	for _, d := range s.Deployments {
		names = append(names, d.Name)
	}
	return names
}

type shownHistory struct {
	Entries []struct {
		Time, Cluster, Operation, Outcome, Reason, Version, From, To, By, Duration string
		DeploymentID                                                               string `json:"deployment_id"`
		Run                                                                        *struct {
			Tool, ID, URL, Commit, Workspace string
		}
	}
}

func TestAccDataSources(t *testing.T) {
	l := newLab(t)
	w := l.workspace()
	w.useProgram() // its environment is not the test's
	w.Env = []string{
		"GITHUB_ACTIONS=true", "GITHUB_RUN_ID=17", "GITHUB_SHA=abc123", "GITHUB_REPOSITORY=acme/shop", "GITHUB_SERVER_URL=https://github.com",
		"GITHUB_TOKEN=ghs_hunter2hunter2", "TF_WORKSPACE=default",
	}
	config := func(tag string, more ...string) string {
		return l.config(append([]string{l.deployment(createFirst, image(tag), `environment = "staging"`), l.main(keepPrevious(1))}, more...)...)
	}
	for _, tag := range []string{"v1", "v2"} {
		w.apply(config(tag))
	}
	looks := []string{
		l.data("deployments", "all"),
		l.data("deployments", "api", `application = "api"`),
		l.data("deployments", "mains", `main = true`, `environment = "staging"`, `version = "v2"`, `status = "started"`),
		l.data("deployments", "others", `application = "other"`),
		l.data("deployments", "waiting", `status = "degraded"`),
		block(`data "switchback_deployment" "by_id"`, []string{fmt.Sprintf("id = %q", l.namespace+"/"+nameOf("v1"))}),
		l.data("deployment", "by_version", `application = "api"`, `version = "v2"`),
		l.data("main_deployment", "live", `application = "api"`),
		l.data("history", "all", `application = "api"`),
		l.data("history", "moves", `application = "api"`, `operation = "promote"`, `limit = 1`),
		l.data("history", "none", `application = "other"`),
	}
	w.apply(config("v2", looks...))
	w.wantNoChanges()

	all := read[shownReleases](w, "switchback_deployments.all").Deployments
	if len(all) != 2 {
		t.Fatalf("%+v", all)
	}
	now, before := all[0], all[1]
	if now.Name != nameOf("v2") || now.ID != l.namespace+"/"+nameOf("v2") || now.Version != "v2" || now.Application != "api" || now.Environment != "staging" ||
		now.Cluster != "default" || now.Status != "started" || now.Custody != "owned" || !now.Main || now.Previous || now.PreviousPosition != nil ||
		now.Replicas != 1 || now.ReadyReplicas != 1 || now.CreatedAt == "" || now.CreatedBy == "" || now.Collected {
		t.Errorf("the main one: %+v", now)
	}
	if before.Name != nameOf("v1") || before.Main || !before.Previous || before.PreviousPosition == nil || *before.PreviousPosition != 1 || !before.Retained ||
		before.Custody != "retained" || !before.Collected || !strings.Contains(before.CollectReason, "keep_previous") || before.ReadyReplicas != 1 {
		t.Errorf("the previous one: %+v", before)
	}
	for name, want := range map[string][]string{
		"api": {nameOf("v2"), nameOf("v1")}, "mains": {nameOf("v2")}, "others": nil, "waiting": nil,
	} {
		if got := read[shownReleases](w, "switchback_deployments."+name).names(); !slices.Equal(got, want) {
			t.Errorf("%s are %v, want %v", name, got, want)
		}
	}
	w.wantState("switchback_deployment.by_id", "name", nameOf("v1"), "version", "v1", "status", "started", "main", false, "ready_replicas", 1, "application", "api")
	w.wantState("switchback_deployment.by_version", "id", l.namespace+"/"+nameOf("v2"), "main", true, "replicas", 1)
	w.wantState("switchback_main_deployment.live", "id", l.namespace+"/api", "deployment_id", l.namespace+"/"+nameOf("v2"),
		"previous_deployment_id", l.namespace+"/"+nameOf("v1"), "status", "finalized", "service_name", "api",
		"split", map[string]any{"default": map[string]any{nameOf("v2"): 100}},
		"strategy_data", map[string]any{"default": map[string]any{
			"deployment_id": l.namespace + "/" + nameOf("v2"), "switched_traffic": 100, "desired_switched_traffic": 100, "switch_traffic_step": 0,
			"amount_instances_to_wait": 0, "healthy_instances": 1, "launched_instances": 1,
		}})

	history := read[shownHistory](w, "switchback_history.all").Entries
	var operations []string
	for _, e := range history {
		operations = append(operations, e.Operation)
		if e.Run == nil || e.Run.Tool != "github-actions" || e.Run.Commit != "abc123" || e.Run.URL != "https://github.com/acme/shop/actions/runs/17" || e.Run.Workspace != "default" ||
			e.By == "" || e.Time == "" || e.Cluster != "default" || e.Outcome != "succeeded" {
			t.Errorf("%+v %+v", e, e.Run)
		}
	}
	if want := []string{"retain", "promote", "deploy", "promote", "deploy"}; !slices.Equal(operations, want) {
		t.Fatalf("the history is %v, want %v", operations, want)
	}
	if e := history[1]; e.From != l.namespace+"/"+nameOf("v1") || e.To != l.namespace+"/"+nameOf("v2") || e.Version != "v2" || e.Duration == "" {
		t.Errorf("the last move: %+v", e)
	}
	if moves := read[shownHistory](w, "switchback_history.moves").Entries; len(moves) != 1 || moves[0].Version != "v2" {
		t.Errorf("%+v", moves)
	}
	if none := read[shownHistory](w, "switchback_history.none").Entries; len(none) != 0 {
		t.Errorf("%+v", none)
	}
	if strings.Contains(w.stateText()+l.text("main", "")+l.text("events", ""), "hunter2") {
		t.Error("a token of the environment is in the state or in the cluster")
	}

	// What fluctuates shows here, and nowhere in the resources' state.
	l.setReady(nameOf("v2"), "False")
	l.untilNoneReady(nameOf("v2"))
	w.apply(config("v2", looks...))
	if got := read[shownReleases](w, "switchback_deployments.waiting").Deployments; len(got) != 1 || got[0].Name != nameOf("v2") || !strings.Contains(got[0].StatusReason, "0 of 1 pods") {
		t.Errorf("degraded: %+v", got)
	}
	w.wantState(theDeployment, "status", "started")
	w.wantState("switchback_deployment.by_version", "status", "degraded", "ready_replicas", 0)
	l.setReady(nameOf("v2"), "True")

	// A rollback is one, and the history outlives what was removed.
	w.apply(config("v1"))
	w.apply(l.config(l.deployment(image("v1"), `environment = "staging"`)))
	w.apply(l.config(l.deployment(image("v1"), `environment = "staging"`), l.data("history", "all", `application = "api"`)))
	operations = nil
	for _, e := range read[shownHistory](w, "switchback_history.all").Entries {
		operations = append(operations, e.Operation)
	}
	if want := []string{"collect", "remove_main", "retain", "rollback", "deploy"}; len(operations) != 10 || !slices.Equal(operations[:5], want) {
		t.Errorf("the history is %v, want it to begin with %v", operations, want)
	}
	w.destroy()
	l.wantNothingLeft()
}

// A group is shown as it stands, member by member: also one that a run has left in the
// middle, and one that an earlier build has made.
func TestAccGroupDataSource(t *testing.T) {
	l := newLab(t)
	proxy := l.through()
	w := l.inProcess()
	look := block(`data "switchback_deployment_group" "live"`, []string{fmt.Sprintf("namespace = %q", l.namespace), `name = "shop"`})
	config := func(tag string, lines ...string) string {
		return l.config(append([]string{l.application("api", tag), l.application("web", tag), group([]string{member("api"), member("web", `after = ["api"]`)}, apiThenWeb)}, lines...)...)
	}
	live := "switchback_deployment_group.live"
	type shown struct {
		Status  string
		Waves   [][]string
		Members map[string]struct {
			Namespace, Application, Status string
			Service                        string `json:"service_name"`
			Deployment                     string `json:"deployment_id"`
			Previous                       string `json:"previous_deployment_id"`
			After                          []string
			Split                          map[string]map[string]int
			Strategy                       map[string]map[string]any `json:"strategy_data"`
		}
	}
	w.apply(config("v1"))
	w.apply(config("v1", look))
	w.wantNoChanges()
	now := read[shown](w, live)
	api, web := now.Members["api"], now.Members["web"]
	if now.Status != "finalized" || len(now.Members) != 2 || !slices.EqualFunc(now.Waves, [][]string{{"api"}, {"web"}}, slices.Equal) {
		t.Errorf("%+v", now)
	}
	if api.Namespace != l.namespace || api.Application != "api" || api.Service != "api" || api.Deployment != l.id("api", "v1") || api.Status != "finalized" || api.After != nil ||
		api.Split["default"][releaseOf("api", "v1")] != 100 || fmt.Sprint(api.Strategy["default"]["healthy_instances"]) != "1" {
		t.Errorf("api: %+v", api)
	}
	if !slices.Equal(web.After, []string{"api"}) {
		t.Errorf("web: %+v", web)
	}

	death := proxy.DiesAfter(1, func(r *testcluster.Request) bool {
		return r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/services/api")
	}, func() {})
	proxy.SetFault(death.Fault)
	w.applyFails(config("v2"))
	proxy.SetFault(nil)
	other := l.inProcess()
	other.apply(l.config(look))
	now = read[shown](other, live)
	if now.Status != "running" || now.Members["api"].Deployment != l.id("api", "v2") || now.Members["api"].Status != "running" || now.Members["web"].Deployment != l.id("web", "v1") {
		t.Errorf("in the middle: %+v", now)
	}
	w.apply(config("v2"))
	other.apply(l.config(look))
	if now = read[shown](other, live); now.Status != "finalized" || now.Members["web"].Previous != l.id("web", "v1") {
		t.Errorf("at the end: %+v", now)
	}
	l.forgetsAsked("api", "web")
	other.apply(l.config(look))
	if now = read[shown](other, live); now.Status != "finalized" || len(now.Members) != 2 || now.Waves != nil {
		t.Errorf("of an earlier build: %+v", now)
	}
}

// What is not there, or cannot be asked for, is said where it was asked.
func TestAccDataSourcesThatFindNothing(t *testing.T) {
	l := newLab(t)
	for name, tc := range map[string]struct{ data, says string }{
		"no deployment":   {block(`data "switchback_deployment" "a"`, []string{fmt.Sprintf("id = %q", l.namespace+"/"+nameOf("v1"))}), "None of the clusters has the deployment " + l.namespace},
		"no version":      {l.data("deployment", "a", `application = "api"`, `version = "v9"`), `with version "v9"`},
		"no id":           {block(`data "switchback_deployment" "a"`, nil), "Invalid Attribute Combination"},
		"id and version":  {l.data("deployment", "a", `application = "api"`, `version = "v9"`, `id = "a/b-00000000"`), "Invalid Attribute Combination"},
		"no application":  {l.data("deployment", "a", `version = "v9"`), "application"},
		"no main":         {l.data("main_deployment", "a", `application = "api"`), "has no main deployment on any of the clusters"},
		"no group":        {block(`data "switchback_deployment_group" "a"`, []string{fmt.Sprintf("namespace = %q", l.namespace), `name = "shop"`}), `has no member of a group "shop" on any of the clusters`},
		"no such status":  {l.data("deployments", "a", `status = "fine"`), "fine"},
		"no such cluster": {l.data("deployments", "a", `clusters = ["moon"]`), "moon"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newInProcess(t)
			r := w.applyFails(l.config(tc.data))
			if m := r.messages("error"); !strings.Contains(strings.Join(strings.Fields(m), " "), tc.says) {
				t.Errorf("it does not say %q:\n%s", tc.says, m)
			}
		})
	}
}

// With kubectl alone: the history is readable where it is.
func TestAccHistoryOfAFailedDeployment(t *testing.T) {
	l := newLab(t)
	w := l.inProcess()
	w.applyFails(l.config(l.deployment(`image = "demo/missing:v1"`, `on_failure = "keep"`)))
	cm, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Get(t.Context(), release.MainName("api"), metav1.GetOptions{})
	l.must(err)
	h, err := release.ParseHistory(cm.Data)
	if err != nil || len(h.Entries) != 1 || h.Entries[0].Outcome != release.OutcomeFailed || h.Entries[0].Operation != release.OperationDeploy {
		t.Errorf("%+v, %v", h, err)
	}
}
