package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

const module = "github.com/switchback-dev/terraform-provider-switchback/"

// concurrent are the packages with goroutines of their own, or that are there to
// be used by several: their tests, and those below them, run with the race
// detector. The others only start what these have, and run without.
var concurrent = []string{
	"internal/cluster", "internal/fleet", "internal/wait", "internal/diagnose", "internal/ownership", "internal/rollout", "internal/group", "internal/traffic",
	"internal/logs", "internal/testcluster",
}

// points are the tests that cut a verb off, or let a fault happen to it, at every
// one of its writes or requests. They run without the race detector, after the
// others: each verb has passed with it then, and they take longest. They wait for
// somebody to be taken for dead, most of the time: twice as many run at once.
const points = "Every(Write|Request)"

// engine is the package whose tests take longest. What has goroutines there is shared
// by its verbs: those of the tests below are those of all others, which run without.
const engine = "internal/rollout"

// watched are the tests of the engine that run with the race detector: each of its verbs,
// several clusters, several runs, and what happens on the wire meanwhile.
var watched = []string{
	"TestStory", "TestStatusesOfARollback", "TestHistoryOfALife", "TestContentChangesInPlace", "TestFailedRollGoesBack", "TestRollIsResumed", "TestRollStops",
	"TestStopAndStart", "TestRestartUnderTraffic", "TestRestartThatFailsIsTakenBack", "TestAutoscaledReleaseIsStartedAgain", "TestAdoptedServiceIsHandedOverAndBack",
	"TestBakePasses", "TestBakeFails", "TestInterruptedBake", "TestCanaryForCohort", "TestNameIsPublishedAndWithdrawn",
	"TestPreviewThatNobodyServes", "TestRollout", "TestPromotionOverClusters", "TestCanaryOverClusters", "TestTwoClusters", "TestOneOfTwoClustersFails",
	"TestRollStopsAheadOfOtherClusters", "TestLoserDoesNotStopTheWinner", "TestTwoAppliesWriteTheHistory", "TestActionWaitsForWhoIsAtWork", "TestCancelOfALiveStart",
	"TestCancelOfALiveRestart", "TestCancelOfALiveUpdate", "TestCancelOfADeadStart", "TestALostClaimDoesNotSayThatNothingWasChanged", "TestWhoPromotesIsAskedToGoBack",
	"TestOutage", "TestPausedServer", "TestSlowServer", "TestWatchesDroppedInTheWait", "TestNothingIsWatchedAfterAVerb", "TestLogsOfManyContainersAreOne", "TestLogsOnABrokenWire",
	"TestManyEvents", "TestEventsOfADeployment", "TestMuchLog", "TestDiagnose", "TestEvidenceDoesNotHoldUpADecision", "TestWhoSleepsWhileItMakesARecordStops",
}

// watchedTests is the pattern of these.
func watchedTests() string { return "^(" + strings.Join(watched, "|") + ")$" }

// arithmetic are the packages that compute for TLS, and share nothing: no race can
// be in them. The race detector would watch every step of a handshake, of which each
// run of a verb has a dozen. What uses them, crypto/tls itself among it, is watched.
var arithmetic = []string{
	"crypto/internal/fips140/bigmod", "crypto/internal/fips140/edwards25519/field", "crypto/internal/fips140/mlkem",
	"crypto/internal/fips140/sha256", "crypto/internal/fips140/sha3", "crypto/internal/fips140/sha512",
}

// timeout ends a package whose tests hang. None takes a tenth of it.
const timeout = "40m"

// plan is what is run: packages with the race detector and packages without, so
// many programs of each at once.
type plan struct {
	parts     []part
	clustered int // packages whose tests have clusters
}

// part is a run of go test.
type part struct {
	race      bool
	programs  int
	packages  []string
	arguments []string
	then      *part // runs when this one has ended
}

// tested is a package as go list shows it.
type tested struct {
	path      string
	clustered bool
}

func newPlan(ctx context.Context, patterns, arguments []string, raceAll bool, machine testcluster.Machine) (plan, error) {
	const format = `{{.ImportPath}} {{join .TestImports " "}} {{join .XTestImports " "}}`
	command := exec.CommandContext(ctx, "go", append([]string{"list", "-f", format}, patterns...)...)
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		return plan{}, fmt.Errorf("go list: %w", err)
	}
	var packages []tested
	for line := range strings.Lines(string(output)) {
		fields := strings.Fields(line)
		packages = append(packages, tested{fields[0], slices.Contains(fields[1:], module+"internal/testcluster")})
	}
	return divide(packages, arguments, raceAll, machine.Programs(), machine.Parallel()), nil
}

// divide makes the parts. The programs that may run at once are shared by both:
// where there is only one, the parts take turns.
func divide(packages []tested, arguments []string, raceAll bool, programs, parallel int) plan {
	var p plan
	var raced, plain, engines []string
	split := !raceAll && !slices.ContainsFunc(arguments, choosesTests)
	for _, t := range packages {
		if t.clustered {
			p.clustered++
		}
		switch {
		case split && t.path == module+engine:
			engines = append(engines, t.path)
		case raceAll || isConcurrent(t.path):
			raced = append(raced, t.path)
		default:
			plain = append(plain, t.path)
		}
	}
	with := func(first ...string) []string { return append(first, arguments...) }
	twice := fmt.Sprint(2 * parallel)
	chain := []part{{race: true, packages: raced, arguments: arguments}}
	if split {
		chain = []part{
			{race: true, packages: raced, arguments: with("-skip", points)},
			{race: true, packages: engines, arguments: with("-run", watchedTests())},
			{packages: raced, arguments: with("-run", points, "-parallel", twice)},
			{packages: engines, arguments: with("-skip", watchedTests(), "-parallel", twice)},
		}
	}
	chain = slices.DeleteFunc(chain, func(part part) bool { return len(part.packages) == 0 })
	var sides [][]part
	if len(chain) > 0 {
		sides = append(sides, chain)
	}
	if len(plain) > 0 {
		sides = append(sides, []part{{packages: plain, arguments: arguments}})
	}
	for i, side := range sides {
		var first *part
		for _, next := range slices.Backward(side) {
			next.programs, next.then = max(1, (programs+i)/len(sides)), first // the odd one is for the second side
			first = &next
		}
		p.parts = append(p.parts, *first)
	}
	return p
}

// choosesTests says that a flag of go test is about which tests run.
func choosesTests(flag string) bool {
	name, _, _ := strings.Cut(strings.TrimLeft(flag, "-"), "=")
	return strings.HasPrefix(flag, "-") && slices.Contains([]string{"run", "skip", "test.run", "test.skip"}, name)
}

func isConcurrent(path string) bool {
	return slices.ContainsFunc(concurrent, func(dir string) bool {
		return path == module+dir || strings.HasPrefix(path, module+dir+"/")
	})
}

// args are the go command's.
func (p part) args() []string {
	args := []string{"test", "-json", "-timeout", timeout, "-p", fmt.Sprint(p.programs)}
	if p.race {
		args = append(args, "-race")
		for _, p := range arithmetic {
			args = append(args, "-gcflags="+p+"=-race=false")
		}
	}
	return append(append(args, p.packages...), p.arguments...)
}

// env is what the go command's environment has besides ours. A program with the
// race detector sleeps for a second at its end, in case that others are about to
// find a race: that many programs, that many seconds in which nothing runs.
func (p part) env() []string {
	if !p.race || os.Getenv("GORACE") != "" {
		return nil
	}
	return []string{"GORACE=atexit_sleep_ms=100"}
}

// runParts runs all parts at once, and writes their events as if they were one.
func (p plan) runParts(ctx context.Context, stdout, stderr io.Writer) (int, error) {
	codes, errs := make([]int, len(p.parts)), make([]error, len(p.parts))
	var wg sync.WaitGroup
	stdout, stderr = &shared{to: stdout}, &shared{to: stderr}
	for i := range p.parts {
		wg.Go(func() {
			for part := &p.parts[i]; part != nil && errs[i] == nil && ctx.Err() == nil; part = part.then {
				var code int
				code, errs[i] = part.runs(ctx, stdout, stderr)
				codes[i] = max(codes[i], code)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return 1, err
	}
	worst := 0
	for _, code := range codes {
		worst = max(worst, code)
	}
	return worst, nil
}

func (p part) runs(ctx context.Context, stdout, stderr io.Writer) (int, error) {
	command := exec.Command("go", p.args()...) //nolint:noctx // a signal ends it
	command.Stderr, command.Env = stderr, append(os.Environ(), p.env()...)
	output, err := command.StdoutPipe()
	if err != nil {
		return 1, err
	}
	copied := make(chan struct{})
	go func() { defer close(copied); copyLines(stdout, output) }()
	return waitAfter(ctx, command, copied)
}

// waitAfter is wait for a command whose output somebody reads: its end must not
// close what is not read yet.
func waitAfter(ctx context.Context, command *exec.Cmd, read <-chan struct{}) (int, error) {
	if err := command.Start(); err != nil {
		return 1, err
	}
	select {
	case <-read:
	case <-ctx.Done():
		_ = command.Process.Signal(os.Interrupt)
		<-read
	}
	return exitCode(command.Wait())
}

// copyLines writes one line at a time: those of several may take turns.
func copyLines(to io.Writer, from io.Reader) {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			_, _ = to.Write(append(bytes.TrimSuffix(line, []byte("\n")), '\n'))
		}
		if err != nil {
			return
		}
	}
}

// shared is a writer for several.
type shared struct {
	mu sync.Mutex
	to io.Writer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.to.Write(p)
}
