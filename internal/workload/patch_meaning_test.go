package workload_test

import (
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

func TestSamePatch(t *testing.T) {
	const patch = "spec:\n  hostname: api\n  containers:\n    - name: api\n      resources: {requests: {cpu: 100m, memory: 1Gi}}\n      command: [sh, -c]\n"
	for name, tt := range map[string]struct {
		a, b string
		same bool
	}{
		"itself":              {patch, patch, true},
		"a comment":           {patch, "# why\n" + patch, true},
		"CRLF":                {"spec:\n  hostname: api\n", "spec:\r\n  hostname: api\r\n", true},
		"order and quotes":    {patch, `{"spec": {"containers": [{"command": ["sh", "-c"], "name": "api", "resources": {"requests": {"memory": "1Gi", "cpu": "100m"}}}], "hostname": "api"}}`, true},
		"another spelling":    {patch, "spec:\n  hostname: api\n  containers:\n    - name: api\n      resources: {requests: {cpu: 0.1, memory: 1024Mi}}\n      command: [sh, -c]\n", true},
		"one document":        {"---\nspec: {hostname: api}\n", "spec: {hostname: api}", true},
		"a volume's size":     {"spec: {volumes: [{name: a, emptyDir: {sizeLimit: 1Gi}}]}", "spec: {volumes: [{name: a, emptyDir: {sizeLimit: 1024Mi}}]}", true},
		"the pod's overhead":  {"spec: {overhead: {cpu: 1}}", "spec: {overhead: {cpu: 1000m}}", true},
		"another quantity":    {"spec: {overhead: {cpu: 1}}", "spec: {overhead: {cpu: 1001m}}", false},
		"a variable's value":  {"spec: {containers: [{name: api, env: [{name: A, value: '0.1'}]}]}", "spec: {containers: [{name: api, env: [{name: A, value: 100m}]}]}", false},
		"an annotation":       {"metadata: {annotations: {cpu: '1'}}", "metadata: {annotations: {cpu: 1000m}}", false},
		"nothing and null":    {"spec: {hostname: null}", "spec: {}", false},
		"order of a list":     {"spec: {containers: [{name: a}, {name: b}]}", "spec: {containers: [{name: b}, {name: a}]}", false},
		"a directive":         {"spec: {volumes: [{$patch: replace}]}", "spec: {volumes: [{$patch: delete}]}", false},
		"a number and a text": {"spec: {containers: [{name: api, livenessProbe: {tcpSocket: {port: 80}}}]}", "spec: {containers: [{name: api, livenessProbe: {tcpSocket: {port: '80'}}}]}", false},
		"what is no patch":    {"[", "[ ", false},
		"no quantity":         {"spec: {overhead: {cpu: [1]}}", "spec: {overhead: {cpu: [1.0]}}", true},
		"not where it is":     {"spec: {overhead: [{cpu: 1}]}", "spec: {overhead: [{cpu: 1000m}]}", false},
		"two documents":       {"spec: {hostname: a}\n---\nspec: {}", "spec: {hostname: a}", false},
	} {
		t.Run(name, func(t *testing.T) {
			if workload.SamePatch(tt.a, tt.b) != tt.same || workload.SamePatch(tt.b, tt.a) != tt.same {
				t.Errorf("the same: %v, want %v", !tt.same, tt.same)
			}
		})
	}
}
