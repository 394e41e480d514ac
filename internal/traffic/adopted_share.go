package traffic

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Until the first release has all of the traffic of an adopted rule, that leads to what it
// led to before, too: to backends of somebody else's. In a split, all of these together have
// one name. Their weights among each other are kept exactly, since weights are whole numbers
// that are multiplied: 3 and 1 with 90 % beside a release with 10 % are 27, 9 and 4.

// maxWeight is the largest weight of the Gateway API.
const maxWeight = 1_000_000

// MaxParts is the largest sum of the weights of somebody else's backends, in their lowest
// terms, beside which a release can have any percentage.
const MaxParts = maxWeight / 100

// Theirs is the name that somebody else's backends have in a split, and the sum of their
// weights in their lowest terms. It is empty where they get no traffic.
func Theirs(former json.RawMessage) (name string, parts int64) {
	var refs []gatewayv1.BackendRef
	if json.Unmarshal(former, &refs) != nil {
		return "", 0
	}
	common := int64(0)
	for _, ref := range refs {
		parts, common = parts+weightOf(ref), gcd(common, weightOf(ref))
	}
	if parts == 0 {
		return "", 0
	}
	return theirName(refs), parts / common
}

// TooFine says that somebody else's backends have weights beside which there is no room for
// those of a release.
func TooFine(parts int64) string {
	return fmt.Sprintf("the weights of its backends are too fine to be kept while the traffic is shared: in their lowest terms they make %d, and may make %d. Give them rounder weights, or leave `canary` out for the first deployment", parts, MaxParts)
}

// HasRule says that a route has a rule of a name.
func HasRule(route Object, name string) bool {
	return slices.ContainsFunc(rulesOf(route), func(r rule) bool { return r.name == name })
}

// theirName joins the names of backends.
func theirName(refs []gatewayv1.BackendRef) string {
	var names []string
	for _, ref := range refs {
		if name := string(ref.Name); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, "+")
}

func weightOf(ref gatewayv1.BackendRef) int64 {
	if ref.Weight == nil {
		return 1 // the API's default
	}
	return int64(*ref.Weight)
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// isOurs says that a backend is a release of the application.
func (s RouteSpec) isOurs(ref gatewayv1.BackendRef) bool {
	of, is := release.ApplicationOf(string(ref.Name))
	return is && of == s.Application && isService(ref)
}

// releases is the part of a split that releases of the application have.
func (s RouteSpec) releases(split release.Split) release.Split {
	own := maps.Clone(split)
	if s.Adopt {
		maps.DeleteFunc(own, func(name string, _ int) bool {
			of, is := release.ApplicationOf(name)
			return !is || of != s.Application
		})
	}
	return own
}

// mixed is the split of a rule that leads to releases and to backends of somebody else's.
func (s RouteSpec) mixed(refs []gatewayv1.BackendRef, namespace string) release.Split {
	var theirs []gatewayv1.BackendRef
	weights, sum := map[string]int64{}, int64(0)
	for _, ref := range refs {
		sum += weightOf(ref)
		switch {
		case !s.isOurs(ref):
			theirs = append(theirs, ref)
		case ref.Namespace != nil && string(*ref.Namespace) != namespace:
			return release.Split{}
		default:
			weights[string(ref.Name)] += weightOf(ref)
		}
	}
	for _, ref := range theirs {
		weights[theirName(theirs)] += weightOf(ref)
	}
	if sum == 0 {
		return release.Split{}
	}
	return percents(weights, sum)
}

// beside are the backends of an adopted rule that shares the traffic as wanted: of what it
// led to before, and then of releases.
func (s RouteSpec) beside(split release.Split, ports map[string]int32, former json.RawMessage) ([]gatewayv1.BackendRef, error) {
	own := s.releases(split)
	if len(own) == len(split) {
		return weighted(split, ports), nil
	}
	var refs []gatewayv1.BackendRef
	if err := json.Unmarshal(former, &refs); err != nil {
		return nil, errors.New("what the rule led to before is not known any more")
	}
	rest, parts, common := int64(100), int64(0), int64(0)
	for _, percent := range own {
		rest -= int64(percent)
	}
	for _, ref := range refs {
		parts += weightOf(ref)
	}
	all := make([]int64, 0, len(refs)+len(own))
	for _, ref := range refs {
		all = append(all, weightOf(ref)*rest)
	}
	for _, ref := range weighted(own, ports) {
		all, refs = append(all, int64(own[string(ref.Name)])*parts), append(refs, ref)
	}
	for _, weight := range all {
		common = gcd(common, weight)
	}
	for i, weight := range all {
		if weight /= common; weight > maxWeight {
			return nil, errors.New(TooFine(parts))
		}
		refs[i].Weight = new(int32(all[i] / common))
	}
	return refs, nil
}
