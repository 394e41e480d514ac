// Command guidepage writes the template of the documentation page about `kubectl
// switchback` from the command itself, so that the page cannot say anything else.
package main

import (
	_ "embed"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/terminal"
)

// head is what is written by hand.
//
//go:embed head.md
var head string

func main() {
	if _, err := os.Stdout.WriteString(page()); err != nil {
		fmt.Fprintln(os.Stderr, "guidepage:", err)
		os.Exit(1)
	}
}

func page() string {
	var b strings.Builder
	b.WriteString(head)
	root := terminal.Command("", genericiooptions.IOStreams{})
	b.WriteString("\n## Commands\n")
	for _, cmd := range root.Commands() {
		if cmd.Name() == "help" || cmd.Name() == "completion" {
			continue
		}
		writeCommand(&b, cmd)
	}
	b.WriteString("\n### Flags of all commands\n\n")
	writeFlags(&b, root.PersistentFlags())
	b.WriteString("\n## Roles of a release\n\n| role | what it says |\n| --- | --- |\n")
	for _, role := range terminal.Roles() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", role, role.Meaning())
	}
	b.WriteString("\n## Exit codes\n\n| code | what it says |\n| --- | --- |\n")
	for _, exit := range terminal.Exits() {
		fmt.Fprintf(&b, "| %d | %s |\n", exit, exit.Meaning())
	}
	b.WriteString("\n## What `-o json` and `-o yaml` print\n\nFields may be added. Those that are here keep their names, and what they mean. A time is in RFC 3339.\n")
	told := map[reflect.Type]bool{}
	for _, kind := range terminal.Kinds() {
		writeKind(&b, reflect.TypeOf(kind), told)
	}
	return b.String()
}

func writeCommand(b *strings.Builder, cmd *cobra.Command) {
	fmt.Fprintf(b, "\n### %s\n\n%s.\n\n```shell\n%s\n```\n\n%s\n\n", cmd.CommandPath(), cmd.Short, cmd.UseLine(), cmd.Long)
	fmt.Fprintf(b, "For example:\n\n```shell\n%s\n```\n\n", strings.ReplaceAll(strings.TrimPrefix(cmd.Example, "  "), "\n  ", "\n"))
	writeFlags(b, cmd.LocalNonPersistentFlags())
}

func writeFlags(b *strings.Builder, flags *pflag.FlagSet) {
	b.WriteString("| flag | what it does |\n| --- | --- |\n")
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" {
			return
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", name, strings.TrimSuffix(f.Usage, ".")+".")
	})
}

// writeKind describes a struct and those that it is made of, each once.
func writeKind(b *strings.Builder, t reflect.Type, told map[reflect.Type]bool) {
	if told[t] {
		return
	}
	told[t] = true
	fmt.Fprintf(b, "\n### %s\n\n| field | what it is |\n| --- | --- |\n", t.Name())
	var below []reflect.Type
	for _, field := range fields(t) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		is := field.Tag.Get("is")
		if of := made(field.Type); of != nil {
			is += fmt.Sprintf(": [%s](#%s)", of.Name(), strings.ToLower(of.Name()))
			below = append(below, of)
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", name, is)
	}
	for _, of := range below {
		writeKind(b, of, told)
	}
}

// fields are those of a struct as JSON has them.
func fields(t reflect.Type) (all []reflect.StructField) {
	for i := range t.NumField() {
		if f := t.Field(i); f.Anonymous {
			all = append(all, fields(f.Type)...)
		} else if f.IsExported() {
			all = append(all, f)
		}
	}
	return all
}

// made is the struct of the command's own that a field holds; nil for anything else.
func made(t reflect.Type) reflect.Type {
	for slices.Contains([]reflect.Kind{reflect.Slice, reflect.Pointer}, t.Kind()) {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t.PkgPath() != reflect.TypeFor[terminal.Head]().PkgPath() || t == reflect.TypeFor[release.Run]() {
		return nil
	}
	return t
}
