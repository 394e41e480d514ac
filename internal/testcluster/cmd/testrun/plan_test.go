package main

import (
	"bytes"
	"context"
	"go/build"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/switchback-dev/terraform-provider-switchback/internal/devtools"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

func TestPackagesWithGoroutinesRunWithTheRaceDetector(t *testing.T) {
	t.Parallel()
	var packages []tested
	for _, dir := range []string{"internal/release", "internal/rollout", "internal/rolloutlike", "internal/testcluster/cmd/testrun", "internal/provider", "test/faults"} {
		packages = append(packages, tested{module + dir, dir != "internal/release"})
	}
	names := func(p part) string {
		return strings.ReplaceAll(strings.Join(p.packages, " "), module, "")
	}
	p := divide(packages, []string{"-run", "X"}, false, 3, 4)
	if len(p.parts) != 2 || !p.parts[0].race || p.parts[1].race || p.clustered != 5 {
		t.Fatalf("the plan is %+v", p)
	}
	if got := names(p.parts[0]); got != "internal/rollout internal/testcluster/cmd/testrun" {
		t.Errorf("with the race detector: %s", got)
	}
	if got := names(p.parts[1]); got != "internal/release internal/rolloutlike internal/provider test/faults" {
		t.Errorf("without: %s", got)
	}
	if p.parts[0].programs != 1 || p.parts[1].programs != 2 {
		t.Errorf("3 programs are %d and %d", p.parts[0].programs, p.parts[1].programs)
	}
	args := strings.Join(p.parts[0].args(), " ")
	if !strings.HasPrefix(args, "test -json -timeout 40m -p 1 -race -gcflags=crypto/") || !strings.Contains(args, "=-race=false "+module) || !strings.HasSuffix(args, " -run X") {
		t.Errorf("go %s", args)
	}
	if p.parts[0].then != nil {
		t.Errorf("who chooses tests gets those: %+v", p.parts[0].then)
	}
	all := divide(packages, nil, true, 3, 4)
	if len(all.parts) != 1 || !all.parts[0].race || len(all.parts[0].packages) != 6 || all.parts[0].programs != 3 {
		t.Errorf("with the race detector for all: %+v", all)
	}
}

// TestPointsRunWithoutTheRaceDetector: what one part skips, another one runs.
func TestPointsRunWithoutTheRaceDetector(t *testing.T) {
	t.Parallel()
	packages := []tested{{module + "internal/rollout", true}, {module + "internal/logs", false}, {module + "internal/provider", true}}
	for flags, split := range map[string]bool{"": true, "-count=1": true, "-run=X": false, "-skip X": false} {
		p := divide(packages, strings.Fields(flags), false, 2, 4)
		var got []string
		for part := &p.parts[0]; part != nil; part = part.then {
			race := ""
			if part.race {
				race = "race "
			}
			got = append(got, strings.ReplaceAll(race+strings.Join(slices.Concat(part.packages, part.arguments), " "), module, ""))
		}
		want := []string{
			"race internal/logs -skip " + points, "race internal/rollout -run " + watchedTests(),
			"internal/logs -run " + points + " -parallel 8", "internal/rollout -skip " + watchedTests() + " -parallel 8",
		}
		if !split {
			want = []string{"race internal/rollout internal/logs"}
		}
		for i := range want {
			want[i] = strings.TrimSpace(want[i] + " " + flags)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q:\n%s\nwant\n%s", flags, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if none := divide(packages[2:], nil, false, 2, 4); len(none.parts) != 1 || none.parts[0].then != nil {
		t.Errorf("without goroutines: %+v", none.parts)
	}
	if alone := divide(packages[:1], nil, false, 2, 4); len(alone.parts) != 1 || alone.parts[0].programs != 2 || alone.parts[0].then == nil || alone.parts[0].then.then != nil {
		t.Errorf("the engine alone: %+v", alone.parts)
	}
}

// TestRacedProgramsEndSoon: only they have settings of the race detector, and whoever
// has others keeps them.
func TestRacedProgramsEndSoon(t *testing.T) {
	t.Setenv("GORACE", "")
	if got := (part{race: true}).env(); !slices.Equal(got, []string{"GORACE=atexit_sleep_ms=100"}) {
		t.Errorf("with the race detector: %q", got)
	}
	if got := (part{}).env(); got != nil {
		t.Errorf("without: %q", got)
	}
	t.Setenv("GORACE", "halt_on_error=1")
	if got := (part{race: true}).env(); got != nil {
		t.Errorf("over settings of the caller's own: %q", got)
	}
}

// TestPointsTakeTurns: what one run of a commit leaves out, the next one has.
func TestPointsTakeTurns(t *testing.T) {
	t.Parallel()
	for commit, want := range map[string][]testcluster.Points{
		"4f0": {"1/4", "2/4", "3/4", "4/4", "1/4"}, "4fe": {"3/4", "4/4", "1/4"}, "": {testcluster.Each, testcluster.Each},
	} {
		for n, points := range want {
			if got := pointsOf(commit, n); got != points {
				t.Errorf("run %d of %q has %s, want %s", n, commit, got, points)
			}
		}
	}
}

// TestNamedTestsExist: a test that was renamed would run with no OpenTofu, or without
// the race detector, and nobody would notice.
func TestNamedTestsExist(t *testing.T) {
	t.Parallel()
	root, err := devtools.Root()
	if err != nil {
		t.Fatal(err)
	}
	for dir, named := range map[string][]string{"provider": differ, "rollout": watched} {
		files, err := filepath.Glob(filepath.Join(root, "internal", dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(content, -1) {
				names = append(names, string(match[1]))
			}
		}
		for _, name := range named {
			if !slices.Contains(names, name) {
				t.Errorf("there is no %s in internal/%s", name, dir)
			}
		}
	}
}

// TestArithmeticIsThere: a package that has moved would be watched again, which nobody
// would notice; one that has come to use atomics would hide from the race detector what
// they order, which would then find races that are none.
func TestArithmeticIsThere(t *testing.T) {
	t.Parallel()
	for _, path := range arithmetic {
		p, err := build.Import(path, "", 0)
		if err != nil {
			t.Error(err)
		} else if slices.Contains(p.Imports, "sync/atomic") {
			t.Errorf("%s uses atomics", path)
		}
	}
}

// TestAFailureOfEitherPartFails runs parts of one test each, in a module of
// its own.
func TestAFailureOfEitherPartFails(t *testing.T) {
	for name, c := range map[string]struct {
		first, second, then string
		code                int
	}{
		"none":   {"", "", "", 0},
		"first":  {`t.Fatal("no")`, "", "", 1},
		"second": {"", `t.Fatal("no")`, "", 1},
		"later":  {"", "", `t.Fatal("no")`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(path, text string) {
				path = filepath.Join(dir, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("go.mod", "module example.com\n\ngo 1.26\n")
			write("a/a_test.go", "package a\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) { "+c.first+" }\n")
			write("b/b_test.go", "package b\n\nimport \"testing\"\n\nfunc TestB(t *testing.T) { "+c.second+" }\n")
			write("c/c_test.go", "package c\n\nimport \"testing\"\n\nfunc TestC(t *testing.T) { "+c.then+" }\n")
			t.Chdir(dir)
			p := plan{parts: []part{{programs: 1, packages: []string{"./a"}}, {programs: 1, packages: []string{"./b"}, then: &part{programs: 1, packages: []string{"./c"}}}}}
			var events, complaints bytes.Buffer
			code, err := p.runParts(t.Context(), &events, &complaints)
			if err != nil || code != c.code {
				t.Errorf("it ends with %d, %v: %s", code, err, complaints.String())
			}
			for _, test := range []string{`"Test":"TestA"`, `"Test":"TestB"`, `"Test":"TestC"`} {
				if !strings.Contains(events.String(), test) {
					t.Errorf("%s is not among the events:\n%s", test, events.String())
				}
			}
		})
	}
}

func TestAnExitCodeIsKept(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]int{"exit 0": 0, "exit 3": 3, "kill -9 $$": 1} {
		if code, err := wait(t.Context(), exec.Command("sh", "-c", script)); code != want || err != nil {
			t.Errorf("%s: %d, %v, want %d", script, code, err, want)
		}
	}
	// A signal to us is one to the tests, and we wait for their end.
	ctx, cancel := context.WithCancel(t.Context())
	command := exec.Command("sh", "-c", `trap 'kill $!; exit 7' INT; sleep 600 >/dev/null & echo ready; wait`)
	command.Stdout = calls(cancel)
	if code, err := wait(ctx, command); code != 7 || err != nil {
		t.Errorf("it ended with %d, %v", code, err)
	}
}

// calls is called when something is written.
type calls func()

func (c calls) Write(p []byte) (int, error) { c(); return len(p), nil }

// TestSettingsOfWhoeverRunsThisStay: only what nobody has set is set.
func TestSettingsOfWhoeverRunsThisStay(t *testing.T) {
	t.Setenv("GOGC", "off")
	t.Setenv("GODEBUG", "") // and back to what it was
	if err := setUnset(settings); err != nil {
		t.Fatal(err)
	}
	if got := os.Getenv("GOGC"); got != "off" {
		t.Errorf("GOGC is %q", got)
	}
	if got := os.Getenv("GODEBUG"); got != "tlsmlkem=0" {
		t.Errorf("GODEBUG is %q", got)
	}
}
