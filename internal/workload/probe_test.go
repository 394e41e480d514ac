package workload

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// TestProbeDefaults renders each kind of probe and takes it back from what a
// server would make of it.
func TestProbeDefaults(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		period, failures       *int32
		wantPeriod, wantFailed int32 // of readiness and startup probes; 0: the server decides
	}{
		"nothing typed":            {nil, nil, 2, 15},
		"a period":                 {new(int32(5)), nil, 5, 0},
		"a threshold":              {nil, new(int32(30)), 0, 30},
		"both":                     {new(int32(1)), new(int32(1)), 1, 1},
		"Kubernetes' own, on both": {new(int32(10)), new(int32(3)), 10, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			typed := release.Probe{TCPSocket: &release.TCPSocket{Port: "80"}, PeriodSeconds: tc.period, FailureThreshold: tc.failures}
			rendered, err := renderProbes(release.Container{ReadinessProbe: &typed, LivenessProbe: &typed, StartupProbe: &typed})
			if err != nil {
				t.Fatal(err)
			}
			for kind, p := range map[string]*corev1.Probe{"readiness": rendered.readiness, "startup": rendered.startup} {
				if p.PeriodSeconds != tc.wantPeriod || p.FailureThreshold != tc.wantFailed {
					t.Errorf("%s: every %d s, %d times, want %d and %d", kind, p.PeriodSeconds, p.FailureThreshold, tc.wantPeriod, tc.wantFailed)
				}
			}
			if p := rendered.liveness; p.PeriodSeconds != number(tc.period) || p.FailureThreshold != number(tc.failures) {
				t.Errorf("liveness: every %d s, %d times", p.PeriodSeconds, p.FailureThreshold)
			}

			back := fromContainer(corev1.Container{
				ReadinessProbe: defaulted(rendered.readiness), StartupProbe: defaulted(rendered.startup), LivenessProbe: defaulted(rendered.liveness),
			}, release.PodSecurityNone)
			again, err := renderProbes(back)
			if err != nil {
				t.Fatal(err)
			}
			for kind, p := range map[string][2]*corev1.Probe{
				"readiness": {rendered.readiness, again.readiness}, "startup": {rendered.startup, again.startup}, "liveness": {rendered.liveness, again.liveness},
			} {
				if diff := cmp.Diff(defaulted(p[0]), defaulted(p[1])); diff != "" {
					t.Errorf("%s is another one after an import (-before +after):\n%s", kind, diff)
				}
			}
		})
	}
}

// defaulted is what a server makes of a probe.
func defaulted(p *corev1.Probe) *corev1.Probe {
	p = p.DeepCopy()
	for into, value := range map[*int32]int32{&p.PeriodSeconds: 10, &p.FailureThreshold: 3, &p.TimeoutSeconds: 1, &p.SuccessThreshold: 1} {
		if *into == 0 {
			*into = value
		}
	}
	return p
}
