package health_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
)

func TestMergeClusters(t *testing.T) {
	t.Parallel()
	crash := func(pod string, class health.Class, affected, of int) health.Finding {
		return health.Finding{Cause: health.CauseCrashLoop, Class: class, Object: "pod " + pod, Container: "api", Sentence: "in " + pod, Affected: affected, Of: of}
	}
	quota := health.Finding{Cause: health.CauseQuota, Class: health.Certain, Object: "workload api"}
	other := quota
	other.Object = "workload web"
	other.Class = health.Warning
	var got []string
	for _, f := range health.MergeClusters([]string{"east", "west"}, [][]health.Finding{
		{crash("a", health.Patient, 1, 2), other}, {quota, crash("b", health.Repeated, 3, 3), other},
	}) {
		got = append(got, fmt.Sprint(f.Cause, " ", f.Class, " ", f.Sentence, " ", f.Object, " ", f.Affected, "/", f.Of, " ", f.Clusters))
	}
	if want := []string{
		"QuotaExceeded certain  workload api 0/0 [west]",
		"CrashLoopBackOff repeated in b pod b 4/5 [east west]",
		"QuotaExceeded warning  workload web 0/0 [east west]",
	}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestWorst(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		states []health.State
		want   health.State
	}{
		{[]health.State{health.Healthy, health.Healthy}, health.Healthy},
		{[]health.State{health.Healthy, health.Progressing}, health.Progressing},
		{[]health.State{health.Progressing, health.Failed, health.Healthy}, health.Failed},
	} {
		if got := health.Worst(tt.states); got != tt.want {
			t.Errorf("%v: %s", tt.states, got)
		}
	}
}
