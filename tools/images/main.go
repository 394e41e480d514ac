// Command images makes container images out of one static program, and is the
// registry they are pulled from: what end-to-end tests need, without a
// container engine and without a network.
//
//	images pack -program FILE -out FILE   a spec on standard input
//	images serve -listen ADDRESS
//	images push -from FILE IMAGE TARGET
package main

import (
	"flag"
	"fmt"
	"os"
)

const usage = `usage: images pack -program FILE -out FILE   (the images' specification on standard input)
       images serve -listen ADDRESS
       images push -from FILE IMAGE TARGET
`

func main() {
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "images %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func run(verb string, args []string) error {
	flags := flag.NewFlagSet(verb, flag.ExitOnError)
	switch verb {
	case "pack":
		program := flags.String("program", "", "the static `file` that the images hold as /app")
		out := flags.String("out", "", "the `file` to write: a tar of an OCI layout")
		_ = flags.Parse(args) // exits
		return pack(os.Stdin, *program, *out)
	case "serve":
		listen := flags.String("listen", "127.0.0.1:0", "`address` to listen on")
		_ = flags.Parse(args)
		return serve(*listen)
	case "push":
		from := flags.String("from", "", "the `file` that pack wrote")
		_ = flags.Parse(args)
		if flags.NArg() != 2 {
			return fmt.Errorf("want an image and a target, got %q", flags.Args())
		}
		return push(*from, flags.Arg(0), flags.Arg(1))
	default:
		return fmt.Errorf("unknown command\n%s", usage)
	}
}
