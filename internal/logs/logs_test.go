package logs_test

import (
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/switchback-dev/terraform-provider-switchback/internal/logs"
)

func TestLevelOf(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]logs.Level{
		// JSON, by the loggers that write it so.
		`{"level":"info","msg":"listening"}`:                                        logs.Info,
		`{"level":30,"time":1531171074631,"msg":"hello world","pid":657}`:           logs.Info,  // pino
		`{"name":"api","level":50,"msg":"no database"}`:                             logs.Error, // bunyan
		`{"level":10,"msg":"x"}`:                                                    logs.Trace,
		`{"level":60,"msg":"x"}`:                                                    logs.Fatal,
		`{"version":"1.1","short_message":"x","level":3}`:                           logs.Error, // GELF
		`{"level":"4","msg":"x"}`:                                                   logs.Warn,
		`{"time":"2024-01-01T00:00:00Z","level":"ERROR+2","msg":"x"}`:               logs.Error, // slog
		`{"time":"2024-01-01T00:00:00Z","level":"DEBUG-4","msg":"x"}`:               logs.Debug,
		`{"severity":"WARNING","message":"x"}`:                                      logs.Warn, // Google
		`{"levelname":"CRITICAL","message":"x"}`:                                    logs.Fatal,
		`{"lvl":"eror","msg":"x"}`:                                                  logs.Error,
		`{"@timestamp":"2024-01-01T00:00:00Z","log.level":"error","message":"x"}`:   logs.Error, // ECS
		`{"@timestamp":"2024-01-01T00:00:00Z","log":{"level":"warn"},"message":""}`: logs.Warn,
		`{"@t":"2024-01-01T00:00:00Z","@l":"Warning","@m":"x"}`:                     logs.Warn, // Serilog
		`{"SeverityText":"ERROR","Body":"x"}`:                                       logs.Error,
		`{"severity_number":17,"body":"x"}`:                                         logs.Error, // OpenTelemetry
		`{"severity_number":25,"body":"x"}`:                                         "",
		`  {"LEVEL":"Error"}  `:                                                     logs.Error,
		`{"msg":"ERROR is only in the message"}`:                                    "",
		`{"level":{"deep":"error"}}`:                                                "",
		`{"level":"loud"}`:                                                          "",
		`{"level":-4}`:                                                              "",
		`{ ERROR this is no JSON }`:                                                 logs.Error,

		`ts=2024-01-01T00:00:00Z level=warn msg="[ERROR] in the message"`: logs.Warn,
		`level="error" msg=x`:              logs.Error,
		`msg=x lvl=dbug`:                   logs.Debug,
		`time=x level=50 msg=y`:            logs.Error,
		`msg="sealevel=error" height=3`:    "",
		`time=x level=INFO msg="no error"`: logs.Info,

		`I0102 15:04:05.000000       1 main.go:10] ERROR is only in the message`: logs.Info,
		`W0102 15:04:05.000000       1 main.go:10] x`:                            logs.Warn,
		`E0102 15:04:05.000000       1 main.go:10] x`:                            logs.Error,
		`F0102 15:04:05.000000       1 main.go:10] x`:                            logs.Fatal,
		`I0102 is a room`: "",

		`ERROR no database`:             logs.Error,
		`ERROR: no database`:            logs.Error,
		`Error: Cannot find module 'x'`: logs.Error,
		`error: no database`:            logs.Error,
		`[warn] disk is nearly full`:    logs.Warn,
		`<error> x`:                     logs.Error,
		`<3>x`:                          logs.Error, // systemd
		`2024-01-01 12:00:00,123 [main] ERROR com.acme.Api -`:                        logs.Error, // log4j
		`2024-01-01T12:00:00.000Z  INFO 1 --- [main] c.a.Api`:                        logs.Info,  // Spring
		`2024/01/01 12:00:00 [error] 31#31: *1 open() failed`:                        logs.Error, // nginx
		`[Fri Jan 01 12:00:00.000000 2024] [core:error] [pid 1] x`:                   logs.Error, // Apache
		`2024-01-01 12:00:00 UTC [1] LOG:  database system is ready`:                 logs.Info,  // PostgreSQL
		`2024-01-01 12:00:00 UTC [1] FATAL:  password authentication failed`:         logs.Fatal,
		`ERROR:root:no database`:                                                     logs.Error, // Python
		`WARNING:django.request:Not Found: /x`:                                       logs.Warn,
		`E, [2024-01-01T12:00:00.000000 #1] ERROR -- : x`:                            logs.Error, // Ruby
		`fail: Microsoft.Hosting[0]`:                                                 logs.Error, // .NET
		`dbug: Microsoft.Hosting[0]`:                                                 logs.Debug,
		`[2024-01-01T12:00:00Z WARN  api] x`:                                         logs.Warn, // env_logger
		"2024-01-01T12:00:00.000Z\tINFO\tmain.go:1\tx":                               logs.Info, // zap
		`12:00:00.000 [info] Running`:                                                logs.Info, // Elixir
		"\x1b[31mERROR\x1b[0m no database":                                           logs.Error,
		"\x1b[90m12:00PM\x1b[0m \x1b[33mWRN\x1b[0m x":                                logs.Warn, // zerolog
		`INFO:     127.0.0.1:1234 - "GET / HTTP/1.1" 500`:                            logs.Info, // uvicorn
		`npm ERR! code ELIFECYCLE`:                                                   "",
		`panic: runtime error: invalid memory address`:                               logs.Fatal,
		`fatal error: all goroutines are asleep - deadlock!`:                         logs.Fatal,
		`thread 'main' panicked at src/main.rs:2:5:`:                                 logs.Fatal,
		`Traceback (most recent call last):`:                                         logs.Error,
		`ValueError: invalid literal for int()`:                                      logs.Error,
		`java.lang.IllegalStateException: no database`:                               logs.Error,
		`Exception in thread "main" java.lang.NullPointerException`:                  logs.Error,
		`listening on :8080`:                                                         "",
		`no error was found here`:                                                    "",
		`there is an error in the middle, then a warning: x`:                         "",
		`10.0.0.1 - - [01/Jan/2024:12:00:00 +0000] "GET /error HTTP/1.1" 200`:        "",
		`this line says only after a great many words that ERROR is not at its head`: "",
		``: "",
	} {
		if got := logs.LevelOf(line); got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}

func TestLevelsAreInOrder(t *testing.T) {
	t.Parallel()
	levels := logs.Levels()
	for i, a := range levels {
		for j, b := range levels {
			if got := a.AtLeast(b); got != (i >= j) {
				t.Errorf("%s at least %s: %t", a, b, got)
			}
		}
	}
	if logs.Level("").AtLeast(logs.Trace) {
		t.Error("a line that does not say how bad it is passed")
	}
}

func TestStamped(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 1, 1, 12, 0, 0, 123456789, time.UTC)
	for line, want := range map[string]struct {
		at   time.Time
		text string
	}{
		"2024-01-01T12:00:00.123456789Z hello  world": {at, "hello  world"},
		"2024-01-01T14:00:00.123456789+02:00 hello":   {at, "hello"},
		"2024-01-01T12:00:00.123456789Z ":             {at, ""},
		"2024-01-01T12:00:00.123456789Z":              {at, ""},
		"unable to retrieve container logs for x://y": {time.Time{}, "unable to retrieve container logs for x://y"},
		"": {time.Time{}, ""},
	} {
		if got, text := logs.Stamped(line); !got.Equal(want.at) || text != want.text {
			t.Errorf("%q: %s, %q", line, got, text)
		}
	}
}

// written are lines of a container, one a second.
func written(container string, from int, lines ...string) []logs.Entry {
	var all []logs.Entry
	for i, line := range lines {
		all = append(all, logs.Entry{Time: time.Unix(int64(from+i), 0), Container: container, Message: line})
	}
	return all
}

func messages(all []logs.Entry) []string {
	var texts []string
	for _, e := range all {
		texts = append(texts, strings.TrimPrefix(string(e.Level)+" ", " ")+e.Message)
	}
	return texts
}

func TestTail(t *testing.T) {
	t.Parallel()
	lines := written("api", 0, "INFO one", "ERROR two", "\tat api.go:2", "Caused by: x", "three", "WARN four", "\tat api.go:4", "five")
	for name, tt := range map[string]struct {
		filter  logs.Filter
		most    int
		want    []string
		dropped int
	}{
		"all":        {logs.Filter{}, 9, []string{"info INFO one", "error ERROR two", "error \tat api.go:2", "error Caused by: x", "three", "warn WARN four", "warn \tat api.go:4", "five"}, 0},
		"the last":   {logs.Filter{}, 2, []string{"warn \tat api.go:4", "five"}, 6},
		"none":       {logs.Filter{Contains: "six"}, 2, nil, 0},
		"level":      {logs.Filter{Level: logs.Error}, 9, []string{"error ERROR two", "error \tat api.go:2", "error Caused by: x"}, 0},
		"last, bad":  {logs.Filter{Level: logs.Warn}, 3, []string{"error Caused by: x", "warn WARN four", "warn \tat api.go:4"}, 2},
		"contains":   {logs.Filter{Contains: "api.go"}, 9, []string{"error \tat api.go:2", "warn \tat api.go:4"}, 0},
		"regex":      {logs.Filter{Regex: regexp.MustCompile(`^(INFO|five)`)}, 9, []string{"info INFO one", "five"}, 0},
		"since":      {logs.Filter{Since: time.Unix(6, 0)}, 9, []string{"warn \tat api.go:4", "five"}, 0},
		"everything": {logs.Filter{Level: logs.Warn, Contains: "at", Regex: regexp.MustCompile(`\d$`), Since: time.Unix(3, 0)}, 9, []string{"warn \tat api.go:4"}, 0},
	} {
		tail := logs.Tail{Filter: tt.filter, Most: tt.most}
		for _, line := range lines {
			tail.Add(line)
		}
		if got := messages(tail.Entries()); !slices.Equal(got, tt.want) || tail.Dropped != tt.dropped {
			t.Errorf("%s: %q, %d dropped", name, got, tail.Dropped)
		}
	}
}

func TestContinues(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]bool{
		"\tat java.base/java.lang.Thread.run(Thread.java:1583)": true, "Caused by: java.io.IOException: x": true, "... 12 more": true,
		"goroutine 1 [running]:": true, "main.main()": true, "net/http.(*conn).serve(0xc0001, {0x7, 0x8})": true, "exit status 2": true,
		"  File \"x.py\", line 1": true, "": true, "}": true,
		"next line": false, "connected": false, "GET / 200": false,
	} {
		if got := logs.Continues(line); got != want {
			t.Errorf("%q: %t", line, got)
		}
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	back := written("c", 4, "c4", "c5", "c1")
	back[2].Time = time.Unix(1, 0) // a log keeps its own order
	all := []iter.Seq[logs.Entry]{
		slices.Values(written("a", 0, "a0", "a1", "a2")), slices.Values(written("b", 1, "b1", "b2")), slices.Values([]logs.Entry(nil)), slices.Values(back),
	}
	if got, want := messages(slices.Collect(logs.Merge(all))), []string{"a0", "a1", "b1", "a2", "b2", "c4", "c5", "c1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for e := range logs.Merge(all) {
		if e.Message == "b1" {
			break // ends the others, too
		}
	}
}

func TestLast(t *testing.T) {
	t.Parallel()
	all := written("a", 0, "1", "22", "333", "4444")
	for _, tt := range []struct{ lines, bytes, want int }{{9, 99, 4}, {2, 99, 2}, {9, 10, 4}, {9, 9, 3}, {9, 3, 0}, {0, 9, 0}} {
		if last, before := logs.Last(all, tt.lines, tt.bytes); len(last) != tt.want || before != 4-tt.want || len(last) > 0 && last[len(last)-1].Message != "4444" {
			t.Errorf("%d lines, %d bytes: %q, %d before", tt.lines, tt.bytes, messages(last), before)
		}
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	if got := logs.Cut("aäb", 2); got != "a… (3 bytes more)" {
		t.Error(got)
	}
	if got := logs.Cut("abc", 3); got != "abc" {
		t.Error(got)
	}
	if got := logs.Plain("\x1b[1;31mred\x1b[0m \xff\r\n"); got != "red \uFFFD" {
		t.Errorf("%q", got)
	}
	e := logs.Entry{Time: time.Unix(0, 5).UTC(), Cluster: "prod", Pod: "api-1", Container: "api", Message: "hello"}
	if got := fmt.Sprint(e, "|", logs.Entry{Cluster: "prod", Message: "x"}); got != "1970-01-01T00:00:00.000000005Z prod/api-1/api hello|- prod x" {
		t.Error(got)
	}
}
