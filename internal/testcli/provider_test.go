package testcli

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestEnvironmentIsNotThatOfWhoRunsTheTests(t *testing.T) {
	for _, name := range []string{"TF_LOG", "TF_CLI_ARGS", "TF_CLI_ARGS_plan", "TF_VAR_namespace", "TF_WORKSPACE", "TF_REATTACH_PROVIDERS", "KUBECONFIG", "KUBE_CONFIG_PATH"} {
		t.Setenv(name, "theirs")
	}
	t.Setenv("TF_CLI_CONFIG_FILE", "theirs")
	t.Setenv("SOMETHING_ELSE", "kept")
	serve := func(context.Context) (string, error) { return "where", nil }
	for _, tc := range []struct {
		name string
		p    Provider
		want []string
	}{
		{"none", Provider{}, []string{"TF_CLI_CONFIG_FILE=/dev/null"}},
		{"built", Provider{config: "/built/cli.tfrc"}, []string{"TF_CLI_CONFIG_FILE=/built/cli.tfrc"}},
		{"served", Served(serve), []string{"TF_CLI_CONFIG_FILE=/dev/null", "TF_REATTACH_PROVIDERS=where"}},
	} {
		env, err := tc.p.environment(t.Context(), "TF_LOG=INFO")
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range slices.Concat(tc.want, []string{"CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "SOMETHING_ELSE=kept", "TF_LOG=INFO"}) {
			if !slices.Contains(env, v) {
				t.Errorf("%s: there is no %s", tc.name, v)
			}
		}
		for _, v := range env {
			if strings.HasSuffix(v, "=theirs") {
				t.Errorf("%s: there is %s", tc.name, v)
			}
		}
	}
	refuse := errors.New("it cannot")
	if _, err := Served(func(context.Context) (string, error) { return "", refuse }).environment(t.Context()); !errors.Is(err, refuse) {
		t.Errorf("a provider that cannot be served is %v", err)
	}
}
