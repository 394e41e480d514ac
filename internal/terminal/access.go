package terminal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/fleet"
	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
)

// AccessList is what access prints.
type AccessList struct {
	Head
	Namespace string   `json:"namespace" is:"the namespace"`
	Items     []Access `json:"items" is:"each role on each cluster"`
	Unread    []Unread `json:"unread" is:"clusters that could not be asked: all else is without them"`
}

// Access is whether one role of SECURITY.md is allowed, on one cluster.
type Access struct {
	Cluster  string          `json:"cluster" is:"the cluster"`
	User     string          `json:"user,omitempty" is:"who the cluster takes you for, where it says so"`
	Role     cluster.Feature `json:"role" is:"the role, as SECURITY.md names it"`
	Allowed  bool            `json:"allowed" is:"whether all that it takes is allowed"`
	Optional bool            `json:"optional" is:"whether all else works without it"`
	Missing  []string        `json:"missing" is:"what is not allowed, as: get pods, or patch deployments.apps"`
}

func (t *terminal) access() *cobra.Command {
	f := &format{}
	roles := texts(cluster.Features())
	cmd := &cobra.Command{
		Use:   "access [ROLE...]",
		Short: "Show what you may do in the namespace",
		Long: "Asks each cluster which of the roles of SECURITY.md you have there: all of them, or those that are named. What is missing of one is listed. " +
			"A role is for a purpose, and nobody needs them all: to look, refresh is enough.\n\nThe exit code is 4 where a role that is named is not allowed.",
		Example: "  kubectl switchback access -n shop\n  kubectl switchback access refresh diagnose",
		Args: func(_ *cobra.Command, args []string) error {
			for _, name := range args {
				if !slices.Contains(roles, name) {
					return usagef("there is no role %q. There are: %s", name, strings.Join(roles, ", "))
				}
			}
			return nil
		},
		ValidArgs: roles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return t.looking(cmd, func(ctx context.Context, c *clusters) error { return t.showAccess(ctx, c, args, f) })
		},
	}
	f.addFlags(cmd)
	return cmd
}

func (t *terminal) showAccess(ctx context.Context, c *clusters, named []string, f *format) error {
	type answer struct {
		user   string
		denied []cluster.Gap
		err    error
	}
	on := fleet.ByName(c.on)
	answers, _ := fleet.All(on, func(one rollout.Cluster) (a answer, _ error) {
		if a.denied, a.err = one.(wired).Denied(ctx, c.namespace); a.err == nil {
			a.user = mask.Redact(one.User(ctx))
		}
		return a, nil
	})
	list, unread, no := AccessList{Head: headOf("AccessList"), Namespace: c.namespace, Items: []Access{}}, map[string]error{}, false
	for i, a := range answers {
		if a.err != nil {
			unread[on[i].Name()] = a.err
			continue
		}
		for _, role := range cluster.Features() {
			if len(named) > 0 && !slices.Contains(named, string(role)) {
				continue
			}
			_, optional := role.Rules()
			item := Access{Cluster: on[i].Name(), User: a.user, Role: role, Optional: optional, Missing: missingOf(a.denied, role)}
			item.Allowed = len(item.Missing) == 0
			no = no || len(named) > 0 && !item.Allowed
			list.Items = append(list.Items, item)
		}
	}
	var failed error
	if list.Unread, failed = unreadOf(unread, len(on)); len(list.Unread) == len(on) {
		return failed
	}
	if err := t.printAccess(list, f, len(on) > 1); err != nil || failed != nil {
		return errors.Join(err, failed)
	}
	if no {
		return &exitError{ExitNo, errNo}
	}
	return nil
}

// missingOf are the permissions of a role that are not allowed.
func missingOf(denied []cluster.Gap, role cluster.Feature) []string {
	missing := []string{}
	for _, g := range denied {
		if g.Feature == role {
			missing = append(missing, strings.TrimSuffix(fmt.Sprintf("%s %s.%s", g.Verb, g.Resource, g.Group), "."))
		}
	}
	return missing
}

func (t *terminal) printAccess(list AccessList, f *format, several bool) error {
	if !f.table() {
		return f.write(t.Out, list)
	}
	columns := []column{{"Cluster", false}, {"Role", false}, {"Allowed", false}, {"Optional", true}, {"User", true}, {"Missing", false}}
	var rows [][]any
	for _, a := range list.Items {
		row := []any{a.Cluster, a.Role, yes(a.Allowed), yes(a.Optional), orNone(a.User), orNone(strings.Join(a.Missing, ", "))}
		rows = append(rows, row)
	}
	return f.writeClusters(t.Out, several, columns, rows)
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}
