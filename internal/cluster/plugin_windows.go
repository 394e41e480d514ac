package cluster

import "os/exec"

// isolate leaves a plugin as it is: what ends it does not end its children.
func isolate(*exec.Cmd) {}
