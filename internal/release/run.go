package release

import "strings"

// Run is the automation that a provider runs in, as its environment tells: where
// to look for who asked for a change, and why.
type Run struct {
	Tool      string `json:"tool,omitempty"` // hcp-terraform, github-actions, gitlab-ci, ci
	ID        string `json:"id,omitempty"`
	URL       string `json:"url,omitempty"`
	Commit    string `json:"commit,omitempty"`
	Ref       string `json:"ref,omitempty"` // branch or tag
	Project   string `json:"project,omitempty"`
	Workspace string `json:"workspace,omitempty"`
	Actor     string `json:"actor,omitempty"` // who started it, by the tool's word
}

// Limits of what is taken from the environment, in bytes.
const (
	runValueLimit = 128
	runURLLimit   = 256
)

// RunOf reads the variables that HCP Terraform, GitHub Actions and GitLab CI
// set. It asks for these names alone, none of which holds a secret.
func RunOf(environment func(name string) string) Run {
	get := func(name string) string { return oneLine(environment(name), runValueLimit) }
	run := Run{Workspace: get("TF_WORKSPACE")}
	switch {
	case get("TFC_RUN_ID") != "":
		run.Tool, run.ID = "hcp-terraform", get("TFC_RUN_ID")
		run.Commit = get("TFC_CONFIGURATION_VERSION_GIT_COMMIT_SHA")
		run.Ref = first(get("TFC_CONFIGURATION_VERSION_GIT_TAG"), get("TFC_CONFIGURATION_VERSION_GIT_BRANCH"))
		run.Project = get("TFC_PROJECT_NAME")
		run.Workspace = first(get("TFC_WORKSPACE_SLUG"), get("TFC_WORKSPACE_NAME"), run.Workspace)
	case get("GITHUB_ACTIONS") != "" || get("GITHUB_RUN_ID") != "":
		run.Tool, run.ID = "github-actions", get("GITHUB_RUN_ID")
		run.Commit, run.Ref = get("GITHUB_SHA"), get("GITHUB_REF_NAME")
		run.Project, run.Actor = get("GITHUB_REPOSITORY"), get("GITHUB_ACTOR")
		if server := address(environment("GITHUB_SERVER_URL")); server != "" && run.Project != "" && run.ID != "" {
			run.URL = server + "/" + run.Project + "/actions/runs/" + run.ID
		}
	case get("GITLAB_CI") != "", get("CI_PIPELINE_ID") != "", get("CI_COMMIT_SHA") != "":
		run.Tool = "ci"
		if get("GITLAB_CI") != "" {
			run.Tool = "gitlab-ci"
		}
		run.ID, run.URL = get("CI_PIPELINE_ID"), address(first(environment("CI_JOB_URL"), environment("CI_PIPELINE_URL")))
		run.Commit, run.Ref = get("CI_COMMIT_SHA"), get("CI_COMMIT_REF_NAME")
		run.Project, run.Actor = get("CI_PROJECT_PATH"), get("GITLAB_USER_LOGIN")
	}
	return run
}

// String is the run in a few words; empty where nothing is known.
func (r Run) String() string {
	var parts []string
	if r.Tool != "" {
		parts = append(parts, strings.TrimSpace(r.Tool+" run "+r.ID))
	}
	for _, named := range []struct{ name, value string }{{"workspace", r.Workspace}, {"commit", r.Commit}, {"by", r.Actor}} {
		if named.value != "" {
			parts = append(parts, named.name+" "+named.value)
		}
	}
	return strings.Join(parts, ", ")
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// address is a web address without credentials, query and fragment, which may
// hold tokens; empty for anything else.
func address(text string) string {
	text = oneLine(text, runURLLimit)
	scheme, rest, found := strings.Cut(text, "://")
	if !found || scheme != "https" && scheme != "http" || strings.HasSuffix(text, "…") {
		return ""
	}
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		rest = rest[:i]
	}
	host, path, _ := strings.Cut(rest, "/")
	host = host[strings.LastIndex(host, "@")+1:]
	if strings.Contains(path, "@") { // of a password with a slash in it
		return ""
	}
	return strings.TrimRight(scheme+"://"+host+"/"+path, "/")
}
