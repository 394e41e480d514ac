package health

import (
	"fmt"
	"regexp"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
)

// metricTexts are why an autoscaler has no metrics, of
// k8s.io/kubernetes/pkg/controller/podautoscaler.
var metricTexts = []struct {
	says *regexp.Regexp
	hint string
}{
	{regexp.MustCompile(`missing request for (\S+)`), "set resources.requests.$1 in every container: utilization is measured in percent of it"},
	{regexp.MustCompile(`get pods\.metrics\.k8s\.io|resource metrics API`), "install the metrics server, or see why it does not answer"},
	{regexp.MustCompile(`(?:custom|external)[ .]metrics`), "install the adapter that serves this metric, or see why it does not answer"},
}

// autoscalerFindings: an autoscaler that sees nothing scales nothing.
func autoscalerFindings(in Input) []Finding {
	hpa := in.Around.Autoscaler
	if hpa == nil {
		return nil
	}
	for _, c := range hpa.Status.Conditions {
		// One whose workload has no replicas is off.
		if c.Status != corev1.ConditionFalse || c.Reason == "ScalingDisabled" || c.Type != autoscalingv2.ScalingActive && c.Type != autoscalingv2.AbleToScale {
			continue
		}
		f := Finding{
			Cause: CauseAutoscaler, Class: Warning, Object: "HorizontalPodAutoscaler " + hpa.Name,
			Sentence: fmt.Sprintf("the HorizontalPodAutoscaler %q does not scale: %s", hpa.Name, c.Reason),
			Evidence: strings.TrimSpace(c.Message), Hint: try(CauseAutoscaler),
		}
		for _, t := range metricTexts {
			if at := t.says.FindStringSubmatchIndex(c.Message); at != nil {
				f.Hint = string(t.says.ExpandString(nil, t.hint, c.Message, at))
				break
			}
		}
		return []Finding{f}
	}
	return nil
}
