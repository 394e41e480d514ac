package group_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/group"
	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// A group that has lost the Lease of a member moves nothing any more, neither on
// nor back: what becomes of it is up to whoever has that Lease. It is not told
// as an interruption.
func TestGroupThatHasLostALeaseStops(t *testing.T) {
	t.Parallel()
	s := open(t, "api", "web")
	p := s.processWith(rollout.Timing{Beat: 200 * time.Millisecond, Expiry: 10 * time.Second, Grace: time.Second, Settle: 20 * time.Second, Cleanup: 5 * time.Second})
	result := make(chan error, 1)
	req := p.group(s.request("v2", bake(time.Hour)))
	go func() { _, err := p.engine.Promote(t.Context(), req); result <- err }()
	looks := s.process()
	testcluster.Eventually(t, testcluster.Hang, "both to bake", func() error {
		for _, application := range s.applications {
			o := observe.Mains(t.Context(), looks.on, s.namespace, application, application)[0]
			if o.Main == nil || o.Main.Progress == nil || o.Main.Progress.Status() != release.MainFinalizing {
				return fmt.Errorf("%s is not there: %+v", application, o.Main)
			}
		}
		return nil
	})
	leases, thief := s.cluster.Client().CoordinationV1().Leases(s.namespace), "somebody else"
	testcluster.Eventually(t, testcluster.Hang, "the Lease to change hands", func() error {
		lease, err := leases.Get(t.Context(), "web-switchback", metav1.GetOptions{})
		if err != nil {
			return err
		}
		lease.Spec.HolderIdentity = &thief
		_, err = leases.Update(t.Context(), lease, metav1.UpdateOptions{})
		return err
	})
	asked := len(s.proxy.Requests())
	err := <-result
	var lost *ownership.LockLostError
	if !errors.As(err, &lost) || lost.Application != "web" || lost.Holder != thief {
		t.Errorf("it ends with: %v", err)
	}
	var failed *group.Error
	if errors.As(err, &failed) && failed.Err != nil {
		t.Errorf("it says that it was interrupted: %v", err)
	}
	for _, r := range s.proxy.Requests()[asked:] {
		if r.Write() && r.Status >= 200 && r.Status < 300 && !strings.HasSuffix(r.Path, "/events") && !strings.Contains(r.Path, "/leases/") {
			t.Errorf("it has written %s", r.String())
		}
	}
	for _, application := range s.applications {
		if at := s.at(application); at != application+" v2" {
			t.Errorf("%s is at %s", application, at)
		}
	}
}
