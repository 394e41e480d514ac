package provider_test

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

func (l *lab) routesPath(plural string) string {
	return fmt.Sprintf("/apis/gateway.networking.k8s.io/v1/namespaces/%s/%s", l.namespace, plural)
}

// routes are the names of a kind's routes.
func (l *lab) routes(plural string) (names []string) {
	l.t.Helper()
	text, err := l.cluster.Client().Discovery().RESTClient().Get().AbsPath(l.routesPath(plural)).SetHeader("Accept", "application/json").DoRaw(l.t.Context())
	l.must(err)
	var list struct {
		Items []struct{ Metadata struct{ Name string } }
	}
	l.must(json.Unmarshal(text, &list))
	for _, item := range list.Items {
		names = append(names, item.Metadata.Name)
	}
	return names
}

// route is the HTTPRoute of a name.
func (l *lab) route(name string) (*gatewayv1.HTTPRoute, error) {
	text, err := l.cluster.Client().Discovery().RESTClient().Get().AbsPath(l.routesPath("httproutes"), name).SetHeader("Accept", "application/json").DoRaw(l.t.Context())
	route := &gatewayv1.HTTPRoute{}
	if err == nil {
		err = json.Unmarshal(text, route)
	}
	return route, err
}

// routeSplit is who gets what of the HTTPRoute "api"; nil where there is none.
func (l *lab) routeSplit() release.Split {
	route, err := l.route("api")
	if err != nil {
		return nil
	}
	return traffic.RouteSplit(route)
}

// routeUID tells whether the HTTPRoute "api" is still the same one.
func (l *lab) routeUID() types.UID {
	l.t.Helper()
	route, err := l.route("api")
	l.must(err)
	return route.UID
}

// rules are those of the HTTPRoute "api".
func (l *lab) rules() []gatewayv1.HTTPRouteRule { l.t.Helper(); return l.rulesOf("api") }

// rulesOf are those of the route of an application.
func (l *lab) rulesOf(application string) []gatewayv1.HTTPRouteRule {
	l.t.Helper()
	route, err := l.route(application)
	l.must(err)
	return route.Spec.Rules
}

// patchRoute is what somebody does to the HTTPRoute "api".
func (l *lab) patchRoute(patch string) {
	l.t.Helper()
	l.must(l.cluster.Client().Discovery().RESTClient().Patch(types.MergePatchType).AbsPath(l.routesPath("httproutes"), "api").Param("fieldManager", somebody).Body([]byte(patch)).Do(l.t.Context()).Error())
}

// makeRoute makes somebody else's route.
func (l *lab) makeRoute(object string) {
	l.t.Helper()
	l.makeAt(l.routesPath("httproutes"), object)
}

// makeAt makes an object at its place in the API.
func (l *lab) makeAt(at, object string) {
	l.t.Helper()
	l.must(l.cluster.Client().Discovery().RESTClient().Post().AbsPath(at).SetHeader("Content-Type", "application/json").Body([]byte(object)).Do(l.t.Context()).Error())
}
