package rollout_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// TestWhoPromotesIsAskedToGoBack: one run watches v2 for an hour, and another one goes
// back to v1 by hand. The first returns the traffic and says who asked for it; the
// second is done. Nothing of the request is left.
func TestWhoPromotesIsAskedToGoBack(t *testing.T) {
	t.Parallel()
	l := application(t)
	watching, promoted := make(chan struct{}), make(chan error, 1)
	first, second := l.process(t), l.process(t)
	for _, p := range []*process{first, second} {
		p.engine = rollout.New(rollout.DefaultTiming()) // both live
	}
	go func() {
		_, err := first.promoteBaking(t.Context(), "v2", baking{d: longBake, seen: func() { close(watching) }})
		promoted <- err
	}()
	select {
	case <-watching:
	case err := <-promoted:
		t.Fatal("no bake: ", err)
	}

	var said []string
	done, err := second.engine.GoBack(t.Context(), rollout.GoBackRequest{
		PromoteRequest: rollout.PromoteRequest{
			Service: second.service(), To: l.name("v1"), Owner: l.memory().Owner, Keep: oneStarted, Drain: faultyDrain, Clusters: second.on,
			Progress: func(line string) { said = append(said, line) },
		},
		Was: map[string]string{"prod": l.name("v2")},
	})
	if err != nil || done.Status != release.MainFinalized {
		t.Errorf("going back by hand ended as %s: %v", done.Status, err)
	}
	if !slices.ContainsFunc(said, func(line string) bool {
		return strings.Contains(line, "asking") && strings.Contains(line, "to go back to "+l.name("v1"))
	}) {
		t.Errorf("it says %q", said)
	}
	var asked *release.AskedBackError
	if err := <-promoted; !errors.As(err, &asked) || asked.Request.From != l.name("v1") {
		t.Errorf("the first run ended with: %v", err)
	}
	l.wantMain("v1")
	cm, err := l.cluster.Client().CoreV1().ConfigMaps(l.namespace).Get(t.Context(), "api-switchback", metav1.GetOptions{})
	if err != nil || cm.Data[release.RequestKey] != "" {
		t.Errorf("the request is still there: %v, %v", cm.Data[release.RequestKey], err)
	}
	// The next apply does not undo that: v2 takes another token.
	var refused *release.TakenBackError
	if _, err := l.once(t).promoteBaking(t.Context(), "v2", baking{d: shortBake}); !errors.As(err, &refused) || !strings.Contains(err.Error(), "had all of the traffic already, and ") {
		t.Errorf("v2 is not refused: %v", err)
	}
	l.wantMain("v1")
	if _, err := l.once(t).promoteBaking(t.Context(), "v2", baking{d: shortBake, token: "again"}); err != nil {
		t.Error(err)
	}
}
