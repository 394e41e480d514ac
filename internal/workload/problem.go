package workload

import (
	"fmt"
	"strings"
)

// Key is a step of a Problem's path into a map; a plain string is an attribute's
// name and an int the index into a list.
type Key string

// Problem is one thing that is wrong with, or to be said about, what a user
// typed. Detail says what it is, the rule, and what to do.
type Problem struct {
	Path    []any // string (attribute), int (list index) or Key (map key), from the resource's root
	Summary string
	Detail  string
}

// At is the path as a user would write it: container.env["LOG_LEVEL"].
func (p Problem) At() string { return path(p.Path).text() }

func (p path) text() string {
	var b strings.Builder
	for i, step := range p {
		switch s := step.(type) {
		case Key:
			fmt.Fprintf(&b, "[%q]", string(s))
		case int:
			fmt.Fprintf(&b, "[%d]", s)
		default:
			if i > 0 {
				b.WriteByte('.')
			}
			fmt.Fprint(&b, s)
		}
	}
	return b.String()
}

func (p Problem) String() string { return p.At() + ": " + p.Summary + ": " + p.Detail }

// path is where the checks are in the resource.
type path []any

// to extends p without ever sharing its array.
func (p path) to(steps ...any) path { return append(p[:len(p):len(p)], steps...) }

// report collects problems.
type report struct{ problems []Problem }

func (r *report) add(at path, summary, detail string, args ...any) {
	r.problems = append(r.problems, Problem{Path: at, Summary: summary, Detail: fmt.Sprintf(detail, args...)})
}

// reasons joins what apimachinery's validators return, without a final stop.
func reasons(messages []string) string {
	return strings.TrimRight(strings.Join(messages, "; "), ".")
}
