package provider

import (
	"context"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// The parts of the log that can be had by themselves: TF_LOG_PROVIDER_SWITCHBACK_ROLLOUT
// and TF_LOG_PROVIDER_SWITCHBACK_CLUSTER set their levels.
const (
	logRollout = "rollout" // a line for each phase, at INFO
	logCluster = "cluster" // a line for each request, at DEBUG

	logLevels = "TF_LOG_PROVIDER_SWITCHBACK"
)

// logged are the levels that Terraform passes on, from the least to the most.
var logged = []string{"ERROR", "WARN", "INFO", "DEBUG", "TRACE"}

// sdkLevels are the variables of the levels of what the plugin libraries log.
var sdkLevels = []string{"TF_LOG_SDK", "TF_LOG_SDK_PROTO", "TF_LOG_SDK_FRAMEWORK"}

// LogLevels are variables of the environment that must be set before the provider
// is served. The plugin libraries take no level for all of them, so that they write
// several lines about each attribute of each plan, and Terraform throws them away.
func LogLevels(environment func(string) string) map[string]string {
	levels := map[string]string{}
	asked := askedLevel(environment)
	switch {
	case asked == "":
		asked = "OFF"
	case asked != "OFF" && !slices.Contains(logged, asked):
		return nil // everything, as Terraform has it
	}
	for _, name := range sdkLevels {
		if environment(name) == "" {
			levels[name] = asked
		}
	}
	return levels
}

// askedLevel is that of the provider's log.
func askedLevel(environment func(string) string) string {
	asked := environment("TF_LOG_PROVIDER")
	if asked == "" {
		asked = environment("TF_LOG")
	}
	return strings.ToUpper(asked)
}

// logsAt says that somebody reads what is written at this level. Terraform throws
// away what nobody asked for; a provider that writes it all the same would make
// every plan slower.
func logsAt(level string, environment func(string) string) bool {
	asked := askedLevel(environment)
	switch asked {
	case "", "OFF":
		return false
	case "JSON":
		return true
	}
	most := slices.Index(logged, asked)
	return most < 0 || most >= slices.Index(logged, level) // Terraform takes what it does not know for TRACE
}

// journal writes what the engine does into Terraform's log.
type journal struct{}

var _ rollout.Journal = journal{}

// Line is one line, with the fields of the call of Terraform's that it is part of.
func (journal) Line(ctx context.Context, message string, fields map[string]any) {
	ctx = tflog.NewSubsystem(ctx, logRollout, tflog.WithLevelFromEnv(logLevels, logRollout), tflog.WithRootFields())
	tflog.SubsystemInfo(ctx, logRollout, message, fields)
}

// requestLog writes what is asked of the clusters. Watches outlast the call that
// began them, so that these lines have no call of Terraform's; nil where nobody
// reads them.
func requestLog(ctx context.Context, environment func(string) string) func(cluster.Request) {
	if !logsAt("DEBUG", environment) {
		return nil
	}
	ctx = tflog.NewSubsystem(context.WithoutCancel(ctx), logCluster, tflog.WithLevelFromEnv(logLevels, logCluster))
	return func(r cluster.Request) {
		fields := map[string]any{"cluster": r.Cluster, "verb": r.Verb, "kind": r.Kind, "took_ms": r.Took.Milliseconds(), "tries": r.Tries}
		for key, text := range map[string]string{"namespace": r.Namespace, "name": r.Name, "failed": r.Failed} {
			if text != "" {
				fields[key] = text
			}
		}
		tflog.SubsystemDebug(ctx, logCluster, strings.TrimSpace(r.Verb+" "+r.Kind+" "+r.Name), fields)
	}
}
