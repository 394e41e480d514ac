package terminal

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/yaml"
)

// Kinds are what -o json and -o yaml print, for the page that describes it: what each
// field is, is in its tag "is".
func Kinds() []any {
	return []any{
		ApplicationList{},
		Application{},
		History{},
		Diagnosis{},
		LogList{},
		Runbook{},
		EventList{},
		AccessList{},
		ActionList{},
	}
}

// APIVersion is that of what -o json and -o yaml print. Fields may be added to it; those
// that are there keep their names and what they mean.
const APIVersion = "cli.switchback.dev/v1"

// Head begins everything that -o json and -o yaml print.
type Head struct {
	APIVersion string `json:"apiVersion" is:"always cli.switchback.dev/v1"`
	Kind       string `json:"kind" is:"what this is"`
}

// headOf is the head of a kind.
func headOf(kind string) Head { return Head{APIVersion: APIVersion, Kind: kind} }

// Unread is a cluster that could not be read. What is there is told without it.
type Unread struct {
	Cluster string `json:"cluster" is:"its name: that of its context"`
	Reason  string `json:"reason" is:"why it could not be read"`
}

// format is how a command prints what it has found.
type format struct {
	name      string // empty: a table
	noHeaders bool
}

var formats = []string{"json", "yaml", "wide"}

func (f *format) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.name, "output", "o", "", "Output format: json, yaml, or wide for a table with more columns.")
	cmd.Flags().BoolVar(&f.noHeaders, "no-headers", false, "Print the table alone, without its headers and without lines about it.")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
}

// check finds a format that there is none of, before a cluster is asked.
func (f *format) check() error {
	if f.name != "" && !slices.Contains(formats, f.name) {
		return usagef("there is no output format %q: say %s, or leave it out for a table", f.name, strings.Join(formats, ", "))
	}
	return nil
}

// table says that people read it.
func (f *format) table() bool { return f.name == "" || f.name == "wide" }

// write prints an object as JSON or YAML.
func (f *format) write(w io.Writer, object any) error {
	text, err := json.MarshalIndent(object, "", "    ")
	if err == nil && f.name == "yaml" {
		text, err = yaml.JSONToYAML(text)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, strings.TrimRight(string(text), "\n"))
	return err
}

// column is one of a table's.
type column struct {
	name string
	wide bool // only with -o wide
}

// writeTable prints rows as kubectl does.
func (f *format) writeTable(w io.Writer, columns []column, rows [][]any) error {
	table := &metav1.Table{}
	for _, c := range columns {
		definition := metav1.TableColumnDefinition{Name: c.name, Type: "string"}
		if c.wide {
			definition.Priority = 1
		}
		table.ColumnDefinitions = append(table.ColumnDefinitions, definition)
	}
	for _, cells := range rows {
		table.Rows = append(table.Rows, metav1.TableRow{Cells: cells})
	}
	return printers.NewTablePrinter(printers.PrintOptions{NoHeaders: f.noHeaders, Wide: f.name == "wide"}).PrintObj(table, w)
}

// writeClusters is writeTable where the first column is the cluster, which is left out where
// there is but one.
func (f *format) writeClusters(w io.Writer, several bool, columns []column, rows [][]any) error {
	if !several {
		columns = columns[1:]
		for i := range rows {
			rows[i] = rows[i][1:]
		}
	}
	return f.writeTable(w, columns, rows)
}

// none is an empty cell.
const none = "<none>"

// orNone is a text in a cell.
func orNone(text string) string {
	if text == "" {
		return none
	}
	return text
}

// age is how long ago something was, by the clock that now comes from.
func age(at *metav1.Time, now time.Time) string {
	if at == nil || at.IsZero() {
		return none
	}
	return duration.HumanDuration(max(0, now.Sub(at.Time)))
}

// timeOf is a time as -o json shows it; nil where there is none.
func timeOf(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t.UTC()}
}
