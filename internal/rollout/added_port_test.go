package rollout_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
)

// TestAddedPortGoesWhateverHappens: a port that somebody has added to the address is
// given to our manager before the switch that removes it. A fault at that write, or the
// end of the process after it, leaves nothing behind that the next one does not mend.
func TestAddedPortGoesWhateverHappens(t *testing.T) {
	t.Parallel()
	seizes := func(r *testcluster.Request) bool {
		return r.Method == http.MethodPatch && strings.HasSuffix(r.Path, "/services/api") && bytes.HasPrefix(r.Body, []byte("[")) // not an apply
	}
	for name, fault := range map[string]testcluster.Fault{
		"nothing": {}, "a lost reply": testcluster.LostReply(), "a conflict": testcluster.Conflict(), "a reset": testcluster.ConnectionReset(), "a kill": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := single(t)
			main := l.cluster.WatchMain(t, l.namespace, "api")
			services := l.cluster.Client().CoreV1().Services(l.namespace)
			_, err := services.Patch(t.Context(), "api", types.StrategicMergePatchType, []byte(`{"spec":{"ports":[{"name":"more","port":81}]}}`), metav1.PatchOptions{FieldManager: "kubectl-edit"})
			must(t, err)
			take := func(ctx context.Context) error {
				p := l.process(t)
				_, err := p.engine.Promote(ctx, rollout.PromoteRequest{
					Service: p.service(), To: p.name("v2"), Owner: p.main, Keep: oneStarted, Drain: faultyDrain, Clusters: p.on, TakeBack: true,
				})
				return err
			}
			ctx, kill := context.WithCancel(t.Context())
			defer kill()
			l.proxy.Reset()
			met := 0
			death := l.proxy.DiesAfter(1, seizes, kill)
			l.proxy.SetFault(func(r *testcluster.Request, n int) testcluster.Fault {
				if seizes(r) {
					met++
				}
				if name == "a kill" {
					return death.Fault(r, n)
				}
				if seizes(r) && met == 1 {
					return fault
				}
				return testcluster.Fault{}
			})
			err = take(ctx)
			l.proxy.SetFault(nil)
			if met == 0 {
				t.Error("nothing gave the port to our manager")
			}
			if name == "a kill" {
				if err == nil {
					t.Error("it was not killed")
				}
				err = take(t.Context())
			}
			must(t, err)
			svc, err := services.Get(t.Context(), "api", metav1.GetOptions{})
			must(t, err)
			if len(svc.Spec.Ports) != 1 || svc.Spec.Ports[0].Name == "more" {
				t.Errorf("its ports are %+v", svc.Spec.Ports)
			}
			main.Check(t, faultyDrain)
		})
	}
}
