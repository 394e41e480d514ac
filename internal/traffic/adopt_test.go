package traffic

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// endpointsOf is a view with what is behind two Services: the adopted one, which
// does not carry our label, and the release's own.
type endpointsOf struct{ adopted, own map[string]bool }

func (v endpointsOf) List(context.Context, Object, map[string]string) ([]Object, error) {
	return sliceOf(v.own), nil
}

func (v endpointsOf) Select(_ context.Context, _ Object, selector, _ string) ([]Object, error) {
	if selector != discoveryv1.LabelServiceName+"=web" {
		return nil, nil
	}
	return sliceOf(v.adopted), nil
}

func sliceOf(pods map[string]bool) []Object {
	slice := &discoveryv1.EndpointSlice{}
	for pod, ready := range pods {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			TargetRef: &corev1.ObjectReference{Name: pod}, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
		})
	}
	return []Object{slice}
}

func TestRestoredWhenTheEndpointsHaveFollowed(t *testing.T) {
	own := map[string]bool{"new-1": true, "new-2": true}
	for name, tc := range map[string]struct {
		adopted map[string]bool
		both    bool
		want    bool
	}{
		"not yet":                      {adopted: own},
		"nothing":                      {},
		"ours are still there":         {adopted: map[string]bool{"old": true, "new-1": true}},
		"none is ready":                {adopted: map[string]bool{"old": false}},
		"all have followed":            {adopted: map[string]bool{"old": true, "older": false}, want: true},
		"the selector takes ours, too": {adopted: map[string]bool{"old": true, "new-1": true}, both: true, want: true},
		"and only ours are ready":      {adopted: map[string]bool{"old": false, "new-1": true}, both: true},
	} {
		s := NewService(nil, endpointsOf{tc.adopted, own}, ServiceSpec{Name: "web", Adopt: true}, false)
		if got, err := s.Restored(t.Context(), "new", tc.both); err != nil || got != tc.want {
			t.Errorf("%s: %t, %v", name, got, err)
		}
	}
}
