//go:build e2e

package e2e_test

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestCanaryIsInterrupted presses Ctrl-C where a new version has a tenth of the traffic.
// One write gives all of it back, and the apply ends without waiting for the gateway. Its
// pods are still there then, so that no request is lost; the next apply begins anew. How
// long both took is told.
func TestCanaryIsInterrupted(t *testing.T) {
	beside(t, loaded)
	c := newCanaryBy(t, `{ weight = 10, pause = "4m" }`, gateway(t, shared(t)))

	x := c.startApply(c.v2)
	c.until(10)
	pause(t, watched)
	tried := c.sharer()
	told := time.Now()
	if err := x.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	output, err := x.wait()
	ended := time.Now()
	if err == nil || !strings.Contains(strings.Join(strings.Fields(output), " "), "rolling_back") {
		t.Errorf("the interrupted apply ended with %v:\n%s", err, output)
	}
	back := c.until(0)
	pause(t, watched)
	if pods := c.podsOf(tried); len(pods) == 0 {
		t.Error("v2 has no pods any more, although nobody has seen that the gateway does not lead there")
	}

	began := time.Now()
	next := c.v2
	next.main = `  canary = { steps = [{ weight = 10, pause = "3s" }] }`
	c.mustApply(next)
	applied := time.Now()
	pause(t, watched)
	answers := c.load.end()

	t.Logf("offered %d, answered: %s", c.load.offered, sum(answers))
	t.Logf("Ctrl-C → the weight was written: %s; → the apply has ended: %s", ms(told, back.asked), ms(told, ended))
	marks := append(c.marks(), mark{told, "Ctrl-C"}, mark{began, "apply v2"}, mark{applied, "applied"})
	c.load.draw(t, "canary-interrupted", "Ctrl-C at 10 %, applied again: answers a second", answers, marks)
	c.load.mustNotFail(t, answers)
	c.mustSplit(answers)
	c.wantShares(10, 0, 10, 100)
	c.planIsEmpty(next)
	c.close()
}
