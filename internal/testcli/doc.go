// Package testcli runs a real terraform or tofu in tests, as a user does.
//
// A [Provider] is what the CLI uses: a program that [Build] makes, or one that
// the test process serves itself ([Served]). A [Workspace] is a directory with
// one configuration and one state. [Workspace.Start] starts a command in it:
//
//	w := testcli.New(t, provider)
//	w.Write(t, "main.tf", configuration)
//	x := w.Start(t, "apply", "-auto-approve", "-input=false", "-json")
//	err := x.Wait()
//
// An [Execution] is a process group of its own: the CLI and the providers that
// it has started. It can be signalled as a terminal does it, and killed as a
// whole or in part. None outlives its test, and one that hangs fails it.
// [Execution.Messages] are what a command with -json has said, and
// [Workspace.State] is what is in the state after it.
package testcli
