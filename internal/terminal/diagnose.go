package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/switchback-dev/terraform-provider-switchback/internal/diagnose"
	"github.com/switchback-dev/terraform-provider-switchback/internal/health"
	"github.com/switchback-dev/terraform-provider-switchback/internal/mask"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Diagnosis is what diagnose prints.
type Diagnosis struct {
	Head
	Namespace string      `json:"namespace" is:"the namespace"`
	Items     []Diagnosed `json:"items" is:"each release that was looked at, the newest first"`
	Unread    []Unread    `json:"unread" is:"clusters that could not be read: all else is without them"`
}

// Diagnosed is how one release is, on all clusters, and why.
type Diagnosed struct {
	Name     string       `json:"name" is:"the release"`
	Version  string       `json:"version" is:"its version"`
	Role     Role         `json:"role" is:"what it is to its application: see above"`
	Verdict  health.State `json:"verdict,omitempty" is:"healthy, progressing or failed; left out where it shall have no pods"`
	Ready    int32        `json:"ready" is:"how many of its pods are ready"`
	Pods     int32        `json:"pods" is:"how many it should have"`
	Reason   string       `json:"reason,omitempty" is:"what was remembered of how its last operation ended"`
	Findings []Finding    `json:"findings" is:"what is wrong, the surest first"`
	NotSeen  []string     `json:"notSeen" is:"what could not be read and might explain more"`

	text string
}

// Finding is one cause of a release's trouble.
type Finding struct {
	Clusters  []string     `json:"clusters" is:"where it was found"`
	Cause     health.Cause `json:"cause" is:"its name, on the page Troubleshooting"`
	Class     health.Class `json:"class" is:"certain, repeated, patient or warning"`
	Object    string       `json:"object" is:"the first object that it concerns"`
	Container string       `json:"container,omitempty" is:"the container that it concerns"`
	Sentence  string       `json:"sentence" is:"what is wrong"`
	Evidence  string       `json:"evidence,omitempty" is:"what the cluster says about it"`
	Hint      string       `json:"hint,omitempty" is:"what to do"`
	Affected  int          `json:"affected,omitempty" is:"how many pods it concerns"`
	Of        int          `json:"of,omitempty" is:"of how many"`
	Log       string       `json:"log,omitempty" is:"the end of the log that shows more"`
}

func (t *terminal) diagnose() *cobra.Command {
	f := &format{}
	cmd := &cobra.Command{
		Use:   "diagnose NAME",
		Short: "Say how an application's pods are, and why they are not ready",
		Long: "The name is an application's, or that of one of its releases. What is wrong is found as in the error of a failed apply: the cause, where it is, " +
			"what the cluster says about it, and what to try. A release that shall have no pods is told with what was remembered of it. " +
			"Reading all that explains something takes the role diagnose of SECURITY.md; what may not be read is told.\n\n" +
			"The exit code is 4 where a release that shall have pods is not healthy.",
		Example:           "  kubectl switchback diagnose api\n  kubectl switchback diagnose api-7f3c9a1e -o json",
		Args:              oneSubject,
		ValidArgsFunction: t.completeSubject(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return t.looking(cmd, func(ctx context.Context, c *clusters) error { return t.showDiagnosis(ctx, c, args[0], f) })
		},
	}
	f.addFlags(cmd)
	return cmd
}

// errNo ends a command whose answer is no. It has said why.
var errNo = errors.New("the answer is no")

func (t *terminal) showDiagnosis(ctx context.Context, c *clusters, name string, f *format) error {
	s, err := subjectOf(ctx, c, name)
	if err != nil {
		return err
	}
	d := Diagnosis{Head: headOf("Diagnosis"), Namespace: c.namespace, Items: []Diagnosed{}, Unread: s.unread}
	looked, sick := s.names(), false
	for _, r := range s.releases {
		if slices.ContainsFunc(d.Items, func(one Diagnosed) bool { return one.Name == r.Name }) {
			continue
		}
		one := Diagnosed{Name: r.Name, Version: r.Version, Role: r.Role, Reason: r.Reason, Findings: []Finding{}, NotSeen: []string{}}
		if slices.Contains(looked, r.Name) {
			found, err := diagnose.On(ctx, s.reached, diagnose.Subject{Namespace: c.namespace, Workload: r.Name}, diagnose.TailPatience)
			if err != nil {
				return errors.Join(err, s.failed)
			}
			one.fill(found)
			sick = sick || one.Verdict != health.Healthy
		}
		d.Items = append(d.Items, one)
	}
	if err := d.print(t.Out, f); err != nil {
		return err
	}
	if sick && s.failed == nil {
		return &exitError{ExitNo, errNo}
	}
	return s.failed
}

// fill takes in what was found on the clusters.
func (d *Diagnosed) fill(all []diagnose.Diagnosed) {
	var clusters []string
	var states []health.State
	var found [][]health.Finding
	for _, on := range all {
		clusters, states, found = append(clusters, on.Cluster), append(states, on.Verdict.State), append(found, on.Verdict.Findings)
		d.Ready, d.Pods = d.Ready+on.Verdict.Ready, d.Pods+on.Verdict.Want
		for _, u := range on.Unread {
			d.NotSeen = append(d.NotSeen, mask.Redact(fmt.Sprintf("cluster %q: %s: %v", on.Cluster, u.Resource, u.Err)))
		}
	}
	d.Verdict = health.Worst(states)
	var plain []health.Finding
	for _, f := range health.MergeClusters(clusters, found) {
		plain = append(plain, f.Finding)
		d.Findings = append(d.Findings, Finding{
			Clusters: f.Clusters, Cause: f.Cause, Class: f.Class, Object: f.Object, Container: f.Container, Sentence: f.Sentence,
			Evidence: f.Evidence, Hint: f.Hint, Affected: f.Affected, Of: f.Of, Log: f.Log,
		})
	}
	d.text = strings.TrimRight(health.Text(plain), "\n")
}

// print shows the diagnosis in words.
func (d Diagnosis) print(w io.Writer, f *format) error {
	if !f.table() {
		return f.write(w, d)
	}
	for i, one := range d.Items {
		if i > 0 {
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		how := "it has no pods, and shall have none"
		if one.Verdict != "" {
			how = fmt.Sprintf("%s, %d of %d pods are ready", one.Verdict, one.Ready, one.Pods)
		}
		text := fmt.Sprintf("%s (%s, %s): %s.", one.Name, one.Version, one.Role, how)
		if one.Verdict == "" && one.Reason != "" {
			began := "Its last operation ended so: "
			if release.StaysStopped(one.Reason) {
				began = "It is stopped: "
			}
			text += "\n" + began + one.Reason
		}
		text += one.text
		for _, missing := range one.NotSeen {
			text += "\nNot seen, on " + missing
		}
		if _, err := fmt.Fprintln(w, text); err != nil {
			return err
		}
	}
	return nil
}
