package provider

import (
	"testing"
)

// TestLogIsWrittenWhereItIsRead: Terraform throws away what nobody asked for, and
// writing it costs time all the same.
func TestLogIsWrittenWhereItIsRead(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		all, providers string
		info, debug    bool
	}{
		{"", "", false, false}, {"OFF", "", false, false}, {"INFO", "OFF", false, false}, {"ERROR", "", false, false}, {"WARN", "", false, false},
		{"INFO", "", true, false}, {"info", "", true, false}, {"", "INFO", true, false}, {"TRACE", "INFO", true, false},
		{"DEBUG", "", true, true}, {"", "DEBUG", true, true}, {"ERROR", "TRACE", true, true}, {"TRACE", "", true, true}, {"JSON", "", true, true}, {"1", "", true, true},
	} {
		environment := func(name string) string {
			return map[string]string{"TF_LOG": tc.all, "TF_LOG_PROVIDER": tc.providers}[name]
		}
		if got := logsAt("INFO", environment); got != tc.info {
			t.Errorf("with %q and %q, phases are written: %t", tc.all, tc.providers, got)
		}
		if got := requestLog(t.Context(), environment) != nil; got != tc.debug {
			t.Errorf("with %q and %q, requests are written: %t", tc.all, tc.providers, got)
		}
	}
}

// TestLibrariesLogWhatIsRead: what the plugin libraries write has the level that was
// asked for, unless that of their own was.
func TestLibrariesLogWhatIsRead(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ all, providers, sdk, want string }{
		{"", "", "", "OFF"}, {"OFF", "", "", "OFF"}, {"TRACE", "OFF", "", "OFF"}, {"info", "", "", "INFO"}, {"", "DEBUG", "", "DEBUG"},
		{"TRACE", "", "", "TRACE"}, {"JSON", "", "", ""}, {"1", "", "", ""}, {"", "", "TRACE", ""},
	} {
		levels := LogLevels(func(name string) string {
			return map[string]string{"TF_LOG": tc.all, "TF_LOG_PROVIDER": tc.providers, "TF_LOG_SDK": tc.sdk}[name]
		})
		if levels["TF_LOG_SDK"] != tc.want {
			t.Errorf("%+v: %v", tc, levels)
		}
	}
}
