package release_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func anEntry(id string) release.Entry {
	return release.Entry{
		ID: id, Time: noon, Operation: release.OperationPromote, Deployment: "api-7f3c9a1e", Version: "v2", From: "api-0b8e4d27", To: "api-7f3c9a1e",
		By: "ci", Outcome: release.OutcomeSucceeded, Duration: 1500 * time.Millisecond,
		Run: release.Run{Tool: "github-actions", ID: "17", Commit: "abc"},
	}
}

func ids(h release.History) []string {
	var found []string
	for _, e := range h.Entries {
		found = append(found, e.ID)
	}
	return found
}

func TestHistoryRoundTrip(t *testing.T) {
	data := release.AppendHistory(map[string]string{release.MainKey: "untouched"}, anEntry("a"))
	data = release.AppendHistory(data, anEntry("b"), anEntry("c"))
	if data[release.MainKey] != "untouched" {
		t.Error("the pointer was touched")
	}
	h, err := release.ParseHistory(data)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]release.Entry{anEntry("a"), anEntry("b"), anEntry("c")}, h.Entries); d != "" || h.Schema != release.HistorySchema {
		t.Errorf("schema %d\n%s", h.Schema, d)
	}
	if got := release.AppendHistory(data); !cmp.Equal(got, data) {
		t.Error("appending nothing changes something")
	}
}

// An append whose reply was lost is made again, and an operation may end
// otherwise than it first seemed.
func TestHistoryHasOneEntryAnOperation(t *testing.T) {
	first, again := anEntry("a"), anEntry("a")
	again.Outcome, again.Reason = release.OutcomeFailed, "later"
	h := release.History{}.With(first, anEntry("b")).With(again)
	if got := ids(h); !slices.Equal(got, []string{"a", "b"}) || h.Entries[0].Reason != "later" {
		t.Errorf("got %v %+v", got, h.Entries[0])
	}
}

func TestHistoryIsBounded(t *testing.T) {
	var h release.History
	for i := range release.HistoryEntries + 7 {
		h = h.With(anEntry(fmt.Sprint(i)))
	}
	if n := len(h.Entries); n != release.HistoryEntries || h.Entries[0].ID != "7" {
		t.Errorf("%d entries, the oldest is %s", n, h.Entries[0].ID)
	}
	long := anEntry("")
	long.By = strings.Repeat("x", 4000)
	var data map[string]string
	for i := range 60 {
		long.ID = fmt.Sprint(i)
		data = release.AppendHistory(data, long)
	}
	h, err := release.ParseHistory(data)
	if err != nil {
		t.Fatal(err)
	}
	if size := len(data[release.HistoryKey]); size > release.HistoryBytes+64 || len(h.Entries) < 3 || h.Entries[len(h.Entries)-1].ID != "59" {
		t.Errorf("%d bytes, %d entries: %v", size, len(h.Entries), ids(h))
	}
}

func TestHistoryThatCannotBeRead(t *testing.T) {
	newer := map[string]string{release.HistoryKey: `{"schema": 99, "entries": [{"id": "x", "new": true}]}`}
	if got := release.AppendHistory(newer, anEntry("a")); !cmp.Equal(got, newer) {
		t.Errorf("a newer provider's history was changed: %v", got)
	}
	var refused *release.NewerSchemaError
	if _, err := release.ParseHistory(newer); !errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
	broken := map[string]string{release.HistoryKey: "{", "other": "kept"}
	h, err := release.ParseHistory(release.AppendHistory(broken, anEntry("a")))
	if err != nil || !slices.Equal(ids(h), []string{"a"}) {
		t.Errorf("got %v, %v", ids(h), err)
	}
	if _, err := release.ParseHistory(broken); err == nil {
		t.Error("garbage was read as a history")
	}
	if h, err := release.ParseHistory(nil); err != nil || len(h.Entries) != 0 {
		t.Errorf("nothing is %v, %v", h, err)
	}
}

func TestReasonsAreOneShortLine(t *testing.T) {
	e := anEntry("a")
	e.Reason = "one\n\ttwo\x00 " + strings.Repeat("ä", 400)
	got := release.History{}.With(e).Entries[0].Reason
	if !strings.HasPrefix(got, "one two ää") || len(got) > 400 || !strings.HasSuffix(got, "ä…") {
		t.Errorf("got %d bytes: %q", len(got), got)
	}
}

func TestMainOf(t *testing.T) {
	data, err := (&release.Main{Schema: release.MainSchema, Deployment: "api-7f3c9a1e"}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	history := release.AppendHistory(nil, anEntry("a"))
	if m, err := release.MainOf(history); m != nil || err != nil {
		t.Errorf("a history alone: %v, %v", m, err)
	}
	if m, err := release.MainOf(release.AppendHistory(data, anEntry("a"))); err != nil || m == nil || m.Deployment != "api-7f3c9a1e" {
		t.Errorf("both: %v, %v", m, err)
	}
	if _, err := release.MainOf(map[string]string{"other": ""}); err == nil {
		t.Error("what is not ours was read as an application without an address")
	}
}

func TestWhatAnEntrySays(t *testing.T) {
	for _, tc := range []struct {
		entry          release.Entry
		reason, phrase string
		warns          bool
	}{
		{anEntry("a"), "Promoted", "promote from api-0b8e4d27 to api-7f3c9a1e succeeded after 1.5s (github-actions run 17, commit abc)", false},
		{release.Entry{Operation: release.OperationPromote, To: "b", Outcome: release.OutcomeCancelled, Reason: "interrupted"}, "PromoteCancelled", "promote from nothing to b was interrupted: interrupted", true},
		{release.Entry{Operation: release.OperationDeploy, Deployment: "b", Version: "v1", Outcome: release.OutcomeFailed, Reason: "why"}, "DeployFailed", "deploy of b (version v1) failed: why", true},
		{release.Entry{Operation: release.OperationCondemn, Deployment: "b", Outcome: release.OutcomeSucceeded}, "Condemned", "condemn of b succeeded", true},
		{release.Entry{Operation: release.OperationRemoveMain, From: "b", Outcome: release.OutcomeFailed}, "RemoveMainFailed", "removal of the main address, which led to b, failed", true},
		{release.Entry{Operation: release.OperationResume, Deployment: "a", By: "alice", Outcome: release.OutcomeSucceeded}, "Resumed", "letting the change of a go on, by alice, succeeded", false},
		{release.Entry{Operation: release.OperationResume, From: "a", To: "b", By: "alice", Outcome: release.OutcomeSucceeded}, "Resumed", "letting the promotion from a to b go on, by alice, succeeded", false},
	} {
		if got := tc.entry.EventReason(); string(got) != tc.reason {
			t.Errorf("reason %q, want %q", got, tc.reason)
		}
		if got := tc.entry.Sentence(); got != tc.phrase {
			t.Errorf("it says %q, want %q", got, tc.phrase)
		}
		if got := tc.entry.Warns(); got != tc.warns {
			t.Errorf("%s warns: %t", tc.reason, got)
		}
	}
	for _, operation := range release.Operations() {
		for _, outcome := range release.Outcomes() {
			if e := (release.Entry{Operation: operation, Outcome: outcome}); e.EventReason() == "" {
				t.Errorf("%s %s has no Event", operation, outcome)
			}
		}
	}
}

func TestRunOf(t *testing.T) {
	for name, tc := range map[string]struct {
		env  map[string]string
		want release.Run
	}{
		"none":      {nil, release.Run{}},
		"workspace": {map[string]string{"TF_WORKSPACE": "staging"}, release.Run{Workspace: "staging"}},
		"HCP Terraform": {
			map[string]string{
				"TFC_RUN_ID": "run-1", "TFC_WORKSPACE_NAME": "shop", "TFC_WORKSPACE_SLUG": "acme/shop", "TFC_PROJECT_NAME": "web", "TF_WORKSPACE": "x",
				"TFC_CONFIGURATION_VERSION_GIT_COMMIT_SHA": "abc", "TFC_CONFIGURATION_VERSION_GIT_BRANCH": "main", "TFC_WORKLOAD_IDENTITY_TOKEN": "eyJsecret",
			},
			release.Run{Tool: "hcp-terraform", ID: "run-1", Commit: "abc", Ref: "main", Project: "web", Workspace: "acme/shop"},
		},
		"GitHub Actions": {
			map[string]string{
				"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "17", "GITHUB_SHA": "abc", "GITHUB_REF_NAME": "main", "GITHUB_REPOSITORY": "acme/shop",
				"GITHUB_ACTOR": "octocat", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_TOKEN": "ghs_secret", "TF_WORKSPACE": "prod",
			},
			release.Run{
				Tool: "github-actions", ID: "17", Commit: "abc", Ref: "main", Project: "acme/shop", Actor: "octocat", Workspace: "prod",
				URL: "https://github.com/acme/shop/actions/runs/17",
			},
		},
		"GitLab CI": {
			map[string]string{
				"GITLAB_CI": "true", "CI_COMMIT_SHA": "abc", "CI_COMMIT_REF_NAME": "v1", "CI_PIPELINE_ID": "9", "CI_PROJECT_PATH": "acme/shop",
				"CI_JOB_URL": "https://user:glpat-secret@gitlab.example/acme/shop/-/jobs/5?token=secret", "GITLAB_USER_LOGIN": "ada", "CI_JOB_TOKEN": "secret",
			},
			release.Run{
				Tool: "gitlab-ci", ID: "9", Commit: "abc", Ref: "v1", Project: "acme/shop", Actor: "ada",
				URL: "https://gitlab.example/acme/shop/-/jobs/5",
			},
		},
		"another CI": {map[string]string{"CI_COMMIT_SHA": "abc"}, release.Run{Tool: "ci", Commit: "abc"}},
		"hostile": {
			map[string]string{
				"TFC_RUN_ID": "run\n\x1b[31m" + strings.Repeat("x", 1000), "TFC_WORKSPACE_NAME": "\xff\u202e",
			},
			release.Run{Tool: "hcp-terraform", ID: "run [31m" + strings.Repeat("x", 117) + "…"},
		},
		"no address": {
			map[string]string{"GITLAB_CI": "true", "CI_JOB_URL": "https://user:pa/ss@gitlab.example/"},
			release.Run{Tool: "gitlab-ci"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := release.RunOf(func(name string) string { return tc.env[name] })
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Error(d)
			}
			text, err := json.Marshal(got)
			if err != nil || strings.Contains(string(text), "secret") {
				t.Errorf("%s, %v", text, err)
			}
		})
	}
}
