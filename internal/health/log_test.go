package health

import (
	"strings"
	"testing"
)

func TestTakeLog(t *testing.T) {
	ref := PodRef{Pod: "api-1", Container: "api", Previous: true}
	key := "-----BEGIN PRIVATE KEY-----\n" + strings.Repeat("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n", 12) + "-----END PRIVATE KEY-----\n"
	for name, c := range map[string]struct {
		log, evidence string
		lines         int32
		want          string
		left          string // of the evidence
	}{
		"the last ones":                 {log: "one\ntwo\n\nthree\nfour\n", lines: 2, want: "one\n…\nthree\nfour"},
		"all but one":                   {log: "one\ntwo\nthree\n", lines: 2, want: "one\ntwo\nthree"},
		"ten without a word":            {log: strings.Repeat("line\n", 15), want: "line\n…\n" + strings.TrimSuffix(strings.Repeat("line\n", 10), "\n")},
		"a usage text":                  {log: "unknown flag: --prot\n" + strings.Repeat("  --port int\n", 20), evidence: "unknown flag: --prot\n  --port int", lines: 1, want: "unknown flag: --prot\n…\n  --port int"},
		"from the middle of a long log": {log: strings.Repeat("line\n", 80), lines: 1, want: "line"},
		"said already":                  {log: "starting\npanic: no database\n", evidence: "panic: no database", want: "starting\npanic: no database"},
		"says more":                     {log: "starting\n", evidence: "event \"BackOff\" 3 times", want: "starting", left: "event \"BackOff\" 3 times"},
		"secrets":                       {log: "connecting with password=hunter22\n", want: "connecting with password=***"},
		"half a key":                    {log: key + "ready\n", lines: 3, want: "***\nready"},
		"colours":                       {log: "\x1b[31mred\x1b[0m 10%\r50%\r100%\n\a", want: "100%"},
		"a long one":                    {log: strings.Repeat("ab ", 200), want: strings.Repeat("ab ", 53) + "…"},
		"nothing was read":              {evidence: "as it was", left: "as it was"},
	} {
		t.Run(name, func(t *testing.T) {
			f := Finding{LogsOf: &ref, Evidence: c.evidence}
			f.takeLog(map[PodRef]string{ref: c.log}, c.lines)
			if f.Log != c.want || f.Evidence != c.left {
				t.Errorf("it shows %q beside %q, want %q beside %q", f.Log, f.Evidence, c.want, c.left)
			}
		})
	}
}
