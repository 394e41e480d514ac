package group_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/observe"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// TestGroupUpgrade goes on with promotions of a group that a provider before
// progress.json has left: what is below testdata/upgrade was recorded like that of
// package rollout, by a proxy's DiesAfter with the write to web's ConfigMap that says
// "running" (api has moved, web has not) or "finalizing" (both bake).
func TestGroupUpgrade(t *testing.T) {
	t.Parallel()
	for file, ways := range map[string][]string{"group-between-waves": {"on", "back", "fails"}, "group-in-bake": {"on", "back"}} {
		for _, then := range ways {
			t.Run(file+" "+then, func(t *testing.T) {
				t.Parallel()
				s := newShop(t, "api", "web")
				s.cluster.Recreate(t, s.namespace, filepath.Join("testdata", "upgrade", file+".yaml"), func(o testcluster.Recorded) map[string]string { return workload.Baseline(o) })
				p := s.process()
				s.owner = observe.Mains(t.Context(), p.on, s.namespace, "web", "web")[0].Main.Owner
				check, to := s.watch(), "v2"
				switch then {
				case "on":
					if _, err := p.promote(t.Context(), s.request("v2")); err != nil {
						t.Fatal(err)
					}
				case "back":
					to = "v1"
					if _, err := p.promote(t.Context(), s.request("v1")); err != nil {
						t.Fatal(err)
					}
				case "fails":
					to = "v1"
					s.refuse("web v2")
					_, err := p.promote(t.Context(), s.request("v2"))
					s.proxy.SetFault(nil)
					tells(t, err, "not today")
				}
				s.stands(s.all(to))
				s.nothingOpen()
				check()
			})
		}
	}
}

// nothingOpen fails the test unless no promotion is under way, as any provider reads
// it, and every release is there.
func (s *shop) nothingOpen() {
	s.t.Helper()
	client, ctx := s.cluster.Client(), s.t.Context()
	list, err := client.CoreV1().ConfigMaps(s.namespace).List(ctx, metav1.ListOptions{LabelSelector: release.ManagedSelector})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, cm := range list.Items {
		if text := cm.Data[release.MainKey]; strings.Contains(text, "checkpoint") || text != "" && !strings.Contains(text, `"schema":1,`) || cm.Data[release.ProgressKey] != "" {
			s.t.Errorf("%s says %v", cm.Name, cm.Data)
		}
	}
	deployments, err := client.AppsV1().Deployments(s.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	var there []string
	for i := range deployments.Items {
		there = append(there, s.short(deployments.Items[i].Name))
	}
	slices.Sort(there)
	if want := []string{"api v1", "api v2", "web v1", "web v2"}; !slices.Equal(there, want) {
		s.t.Errorf("there are %v, want %v", there, want)
	}
}
