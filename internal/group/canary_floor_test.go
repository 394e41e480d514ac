package group_test

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/testcluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/workload"
)

// wantFloors fails the test unless the autoscalers of all releases leave them so many pods.
func (s *shop) wantFloors(want string) {
	s.t.Helper()
	var texts []string
	for _, application := range s.applications {
		for _, version := range []string{"v1", "v2"} {
			h, err := s.cluster.Client().AutoscalingV2().HorizontalPodAutoscalers(s.namespace).Get(s.t.Context(), s.name(application, version), metav1.GetOptions{})
			if err != nil {
				s.t.Fatal(err)
			}
			texts = append(texts, fmt.Sprintf("%s %s %d", application, version, workload.Floor(h)))
		}
	}
	if got := strings.Join(texts, ", "); got != want {
		s.t.Errorf("the floors are %s, want %s", got, want)
	}
}

// floorsAreHeld, of every member that has a route, until all have come to the end, or back.
func floorsAreHeld(t *testing.T, c *testcluster.Cluster) {
	s := shopOn(t, c, "api", "auth", "web")
	s.routed, s.scaled = []string{"api", "auth"}, true
	c.DataPlane(t, s.namespace, "httproutes")
	s.begin()
	const typed = "api v1 1, api v2 1, auth v1 1, auth v2 1, web v1 1, web v2 1"
	held := strings.NewReplacer("api v1 1", "api v1 4", "auth v1 1", "auth v1 4", "api v2 1", "api v2 2", "auth v2 1", "auth v2 2").Replace(typed)
	s.wantFloors(typed)
	canary := s.request("v2", together(gate(50)))
	s.promotes(release.MainPaused, canary)
	s.wantFloors(held)
	s.promotes(release.MainFinalized, s.request("v1", together(gate(50))))
	s.wantFloors(typed)
	s.promotes(release.MainPaused, canary)
	s.wantFloors(held)
	s.waits(true)
	s.resume("api")
	s.waits(false)
	s.promotes(release.MainFinalized, canary)
	s.wantFloors(typed)
	s.stands(s.all("v2"))
}
