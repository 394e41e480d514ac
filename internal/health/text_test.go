package health_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
)

func TestText(t *testing.T) {
	got := health.Text([]health.Finding{{
		Cause: health.CauseCrashLoop, Object: "pod api-1", Container: "api", Affected: 2, Of: 3,
		Sentence: `container "api" ended`, Evidence: "one\ntwo", Hint: "read its log", LogsOf: &health.PodRef{Container: "api"}, Log: "a\nb",
	}, {Cause: health.CauseDeadline, Object: "workload api", Sentence: "nothing happens"}})
	want := `

CrashLoopBackOff: container "api" ended
  Where: pod api-1 (2 of 3 pods)
  Evidence: one
    two
  Log (container api, last 2 lines):
    a
    b
  Try: read its log

ProgressDeadlineExceeded: nothing happens
  Where: workload api`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// However much is wrong, it fits on a screen.
func TestTextFitsOnAScreen(t *testing.T) {
	const screen = 45 // lines of 100 characters
	for _, width := range []int{20, 300, 5000} {
		in := pulling("registry.example/acme/api:v1", "unheard of: "+strings.Repeat(strings.Repeat("x", width)+"\n", 50))
		for i := range 9 {
			pod := in.Pods[0].DeepCopy()
			pod.Name = fmt.Sprintf("api-1-%d", i)
			pod.Spec.Containers[0].Name = fmt.Sprintf("c%d", i)
			pod.Status.ContainerStatuses[0].Name = pod.Spec.Containers[0].Name
			in.Pods = append(in.Pods, pod)
		}
		verdict := health.Compute(in)
		first := &verdict.Findings[0]
		first.LogsOf = &health.PodRef{Container: "api"}
		in.Around.Logs = map[health.PodRef]string{*first.LogsOf: strings.Repeat(strings.Repeat("y", width)+"\n", 100)}
		first.TakeLog(in.Around.Logs)

		got, lines := health.Text(verdict.Findings), 0
		for line := range strings.Lines(got) {
			lines += 1 + utf8.RuneCountInString(line)/100
		}
		if lines > screen {
			t.Errorf("%d lines:\n%s", lines, got)
		}
		if more := "And 7 more: ImagePullBackOff (container "; !strings.Contains(got, more) {
			t.Errorf("it does not say %q:\n%s", more, got)
		}
		if strings.Count(got, "Where:") != 3 || strings.Count(got, "Log (") != 1 {
			t.Errorf("not three findings, one with its log:\n%s", got)
		}
	}
	if health.Text(nil) != "" || !slices.Contains(health.Causes(), health.CauseImagePull) {
		t.Error("nothing is something")
	}
}
