package attrs

import (
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// Differing are the attributes of a resource that differ in anything.
func Differing(planned, prior tftypes.Value) ([]string, error) {
	differences, err := planned.Diff(prior)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, d := range differences {
		if steps := d.Path.Steps(); len(steps) > 0 { // else it is the whole, because of what is told beside it
			name, _ := steps[0].(tftypes.AttributeName)
			names = append(names, string(name))
		}
	}
	return names, nil
}

// Governing are the attributes that say how changes are made and are no change
// themselves: where only they differ, no cluster is touched.
var Governing = []string{"clusters", "rollout", "abandon_unreachable", "timeouts", "duration_budget"}
