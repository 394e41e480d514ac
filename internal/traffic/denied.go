package traffic

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Denied says who does not serve the route any more, as a watch has it, or that it is gone;
// empty where nobody says so.
func (g *Gateway) Denied(ctx context.Context) (string, error) {
	route, err := g.watched(ctx)
	if missing := apierrors.IsNotFound(err); missing || err == nil && route == nil {
		return fmt.Sprintf("its %s %s/%s is gone: somebody has removed it, or its kind", g.spec.Kind, g.spec.Namespace, g.spec.Name), nil
	}
	if err != nil || g.reply != nil && release.Newer(g.reply, route) {
		return "", err
	}
	if why := denied(route); why != "" {
		return fmt.Sprintf("its %s %s/%s is not served any more: %s", g.spec.Kind, g.spec.Namespace, g.spec.Name, why), nil
	}
	return "", nil
}

// denied says who has given up to serve a route that was accepted once: who says so, of
// whatever generation, or says nothing any more. Unaccepted is about one that was just
// written: to lag behind, as where the owner of an adopted route has changed another rule,
// is no denial.
func denied(route Object) string {
	wanted, said := parentsOf(route)
	for _, ref := range wanted {
		want, heard := parentKey(ref, route.GetNamespace()), false
		for _, status := range said {
			if parentKey(status.ParentRef, route.GetNamespace()) != want {
				continue
			}
			heard = true
			for _, kind := range []gatewayv1.RouteConditionType{gatewayv1.RouteConditionAccepted, gatewayv1.RouteConditionResolvedRefs} {
				i := slices.IndexFunc(status.Conditions, func(c metav1.Condition) bool { return c.Type == string(kind) })
				if i >= 0 && status.Conditions[i].Status == metav1.ConditionFalse {
					return fmt.Sprintf("%s (%s) %s", want, status.ControllerName, conditionText(status.Conditions[i]))
				}
			}
		}
		if !heard {
			return fmt.Sprintf("%s says nothing about it any more: there is no such parent, or its controller has let go of the route", want)
		}
	}
	return ""
}

// conditionText is what a condition says; not every controller has a message for it.
func conditionText(c metav1.Condition) string {
	text := fmt.Sprintf("says %s=%s, %s", c.Type, c.Status, c.Reason)
	if c.Message != "" {
		text += ": " + c.Message
	}
	return text
}
