//go:build e2e

package e2e_test

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// The rates that are offered to three applications at once, in requests a second: with
// each way to use a connection, and a thousand and two hundred in sum.
const (
	allFreshRate = 300
	allKeptRate  = 400
	allCallRate  = 250
	allLineRate  = 250
)

// samples is how many answers it takes until the part of them that one version gives is
// within a percent of its weight, if chance chooses who answers: in all but one of 370
// cases (three standard deviations). A weight of all or nothing leaves nothing to
// chance.
func samples(percent int) int {
	const within, least = 0.01, 1000
	p := float64(percent) / 100
	return max(least, int(math.Ceil(9*p*(1-p)/(within*within))))
}

// canaries are applications that are released side by side.
type canaries []canary

// apply brings all of them to a configuration, side by side.
func (all canaries) apply(to func(canary) config) {
	var running []*execution
	for _, c := range all {
		running = append(running, c.startApply(to(c)))
	}
	for i, x := range running {
		if output, err := x.wait(); err != nil {
			all[i].test().Fatalf("%s: %v\n%s", all[i].kind, err, output)
		}
	}
}

// untilCounted waits until there are enough answers to tell a share from its weight.
func (all canaries) untilCounted(percent int) {
	t := all[0].test()
	t.Helper()
	count := func() (n int) {
		for _, c := range all {
			n += int(c.load.answered.Load())
		}
		return n
	}
	want := count() + samples(percent)
	testcluster.Eventually(t, 2*testcluster.Hang, fmt.Sprintf("%d answers with a weight of %d %%", samples(percent), percent), func() error {
		if n := count(); n < want {
			return fmt.Errorf("%d are missing", want-n)
		}
		return nil
	})
}

// mustSplit fails the test unless each of them got its shares, and all of them together
// by enough answers.
func (all canaries) mustSplit(answers [][]answer) {
	t := all[0].test()
	t.Helper()
	var together [][]answer // by shift
	for i, c := range all {
		for n, settled := range c.mustSplit(answers[i]) {
			if n == len(together) {
				together = append(together, nil)
			}
			together[n] = append(together[n], settled...)
		}
	}
	for n, s := range all[0].moved() {
		got := share(together[n], "v2")
		t.Logf("all, at %3d %%: %.2f %%: %s", s.to, got, sum(together[n]))
		if len(together[n]) < samples(s.to) || math.Abs(got-float64(s.to)) > 1 {
			t.Errorf("of %d answers, %.2f %% came from v2 with a weight of %d %%", len(together[n]), got, s.to)
		}
	}
}

// upTo is the way to v2 as far as a share of the traffic.
func upTo(percent int) func(canary) config {
	return func(c canary) config {
		next := c.v2
		next.main = fmt.Sprintf("  canary = { steps = [{ weight = 10 }, { weight = 50 }], max_weight = %d }", percent)
		return next
	}
}

// TestCanaryAtRate releases three applications by shares, which each stays at until
// enough answers have been counted, and goes back: more than a thousand requests a second
// are offered meanwhile, by HTTP on new connections and on kept ones, by gRPC, and on
// connections on which no HTTP is spoken. None fails, and each version answers as many as
// its weight says. How many the machine has answered a second is told, and is no part of
// what is asked of it.
func TestCanaryAtRate(t *testing.T) {
	beside(t, loaded)
	g, namespace := gateway(t, shared(t)), newNamespace(t)
	const steps = `{ weight = 10 }, { weight = 50 }`
	web := newCanaryOf(t, namespace, "web", "HTTPRoute", steps, g)
	called := newCanaryOf(t, namespace, "calls", "GRPCRoute", steps, g)
	plain := newCanaryOf(t, namespace, "lines", "TCPRoute", steps, g)
	all := canaries{web, called, plain}
	web.load.untilAnswered("v1", newSingle)
	called.load.untilAnswered("v1", newCaller(called.load))
	plain.load.untilAnswered("v1", newLiner)
	web.load.offer(allFreshRate, 75, newSingle)
	web.load.offer(allKeptRate, 40, newKeepAlive("kept"))
	called.load.offer(allCallRate, 40, newCaller(called.load))
	plain.load.offer(allLineRate, 60, newLiner)

	for _, percent := range []int{10, 50, 100} {
		all.apply(upTo(percent))
		all.untilCounted(percent)
		for _, c := range all {
			c.planIsEmpty(upTo(percent)(c))
		}
	}
	all.apply(func(c canary) config { return c.v1 })
	all.untilCounted(0)
	for _, c := range all {
		if c.release() != c.first {
			t.Errorf("%s: going back is to %s, not to %s", c.kind, c.release(), c.first)
		}
	}

	answers, marks := make([][]answer, len(all)), []mark(nil)
	var together []answer
	for i, c := range all {
		answers[i] = c.load.end()
		together = append(together, answers[i]...)
		marks = append(marks, c.marks()...)
	}
	t.Logf("%d a second are offered, answered: %s", allFreshRate+allKeptRate+allCallRate+allLineRate, sum(together))
	web.load.draw(t, "canary-rate", fmt.Sprintf("HTTP, gRPC and TCP to v2 by shares, and back, with %.0f answers a second in sum", rate(together)), together, marks)
	for i, c := range all {
		t.Logf("%s: offered %d, answered: %s", c.kind, c.load.offered, sum(answers[i]))
		c.load.mustNotFail(t, answers[i])
		c.wantShares(10, 50, 100, 0)
	}
	all.mustSplit(answers)
	for _, c := range all {
		c.planIsEmpty(c.v1)
		c.close()
	}
}

// toCohort is the way to v2 as far as a share of the traffic, and always for a cohort.
func toCohort(percent int) func(canary) config {
	return func(c canary) config {
		next := c.v2
		next.main = fmt.Sprintf(`  canary = { steps = [{ weight = 20 }], max_weight = %d, match = [{ header = { name = %q, exact = "1" } }] }`, percent, cohortHeader)
		return next
	}
}

// TestCanaryForACohort leads who sends a header to the new version, and everybody else by
// its weight. When all of the traffic has moved, the rule for it is gone, and on the way
// back nobody is led to the new version any more. No request is lost.
func TestCanaryForACohort(t *testing.T) {
	beside(t, loaded)
	g := gateway(t, shared(t))
	c := newCanaryBy(t, `{ weight = 20 }`, g)
	one := canaries{c}
	one.apply(toCohort(20))
	cohort := loadThrough(t, g, c.load.host)
	cohort.untilAnswered("v2", newOfCohort)
	cohort.offer(gatewayCallRate, 50, newOfCohort)
	tried := time.Now()
	one.untilCounted(20)
	moved := time.Now()
	one.apply(toCohort(100))
	one.untilCounted(100)
	object, err := c.client.Get(t.Context(), c.name, metav1.GetOptions{})
	if err != nil || len(backendRefs(object)) == 0 {
		t.Errorf("the route has more than its rule: %v, %v", object, err)
	}
	back := time.Now()
	one.apply(func(c canary) config { return c.v1 })
	cohort.untilAnswered("v1", newOfCohort)
	returned := time.Now()
	one.untilCounted(0)
	pause(t, watched)
	answers, marked := c.load.end(), cohort.end()

	t.Logf("offered %d, answered: %s", c.load.offered, sum(answers))
	t.Logf("the cohort: offered %d, answered: %s", cohort.offered, sum(marked))
	c.load.mustNotFail(t, answers)
	cohort.mustNotFail(t, marked)
	if during := between(answers, tried, moved); len(during) < samples(20) || math.Abs(share(during, "v2")-20) > 1 {
		t.Errorf("of %d answers to others, %.2f %% came from v2 with a weight of 20 %%", len(during), share(during, "v2"))
	}
	if during := between(marked, tried, back); len(during) == 0 || answeredBy(during, "v2") != len(during) {
		t.Errorf("of %d answers to the cohort, %d came from v2", len(during), answeredBy(during, "v2"))
	}
	if after := between(marked, returned.Add(time.Second), time.Now()); len(after) == 0 || answeredBy(after, "v1") != len(after) {
		t.Errorf("after the way back, of %d answers to the cohort %d came from v1", len(after), answeredBy(after, "v1"))
	}
	c.planIsEmpty(c.v1)
	c.close()
}

// TestCanaryOfABadRelease gives a tenth of the traffic to a version that answers every
// fifth request with an error, and of whose three pods two lose their readiness. All of
// the traffic goes back. What fails is what the bad version has answered itself, and
// nothing else.
func TestCanaryOfABadRelease(t *testing.T) {
	beside(t, loaded)
	c := newCanaryBy(t, `{ weight = 10, pause = "4m" }`, gateway(t, shared(t)))
	bad := c.v2
	bad.replicas, bad.env = 3, map[string]string{"APP_TCP_PORT": bad.env["APP_TCP_PORT"], "APP_ERROR_RATE": "0.2"}

	x := c.startApply(bad)
	tenth := c.until(10)
	canaries{c}.untilCounted(10)
	pods := c.podsOf(c.sharer())
	if len(pods) != bad.replicas {
		t.Fatalf("v2 has %d pods", len(pods))
	}
	for _, pod := range pods[:2] {
		loseReadiness(t, pod.Status.PodIP)
	}
	lost := time.Now()
	returned := c.until(0)
	output, err := x.wait()
	if err == nil {
		t.Fatalf("the apply succeeded although the release lost its pods:\n%s", output)
	}
	if want := " ready, and it needs 2"; !strings.Contains(strings.Join(strings.Fields(output), " "), want) {
		t.Errorf("it does not say %q:\n%s", want, output)
	}
	canaries{c}.untilCounted(0)
	c.mustApply(c.v1)
	answers := c.load.end()

	t.Logf("offered %d, answered: %s", c.load.offered, sum(answers))
	t.Logf("v2 had its tenth for %s; two of its pods were told to lose their readiness → all of the traffic was given back: %s", ms(tenth.asked, returned.asked), ms(lost, returned.asked))
	c.load.draw(t, "canary-bad", "v2 answers with errors, and goes: answers a second", answers, c.marks())
	own := 0
	for i, a := range answers {
		if a.err != nil && a.version == "v2" {
			answers[i].err = nil // an answer as any other, of those that count for its share
			own++
		}
	}
	t.Logf("v2 answered %d requests with errors of its own", own)
	if own == 0 {
		t.Error("v2 answered without errors")
	}
	c.load.mustNotFail(t, answers)
	c.mustSplit(answers)
	c.wantShares(10, 0)
	c.planIsEmpty(c.v1)
	c.close()
}

// loseReadiness tells the application's pod at an address not to be ready any more. It
// goes on answering.
func loseReadiness(t testing.TB, ip string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+ip+":8080/unready", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
}
