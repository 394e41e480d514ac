package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
)

// spinVerb makes this program one that keeps a core busy until its standard
// input ends: it cannot be left behind, however its parent dies.
const spinVerb = "spin"

func spin() {
	go func() {
		for i := 0; ; i++ {
			_ = i * i
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// keepBusy keeps so many cores busy until idle is called.
func keepBusy(cores int) (idle func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var ends []func()
	idle = func() {
		for _, end := range ends {
			end()
		}
	}
	for range cores {
		command := exec.Command(self, spinVerb)            //nolint:noctx // its input ends it
		command.Env = append(os.Environ(), "GOMAXPROCS=2") // one spins, one waits
		input, err := command.StdinPipe()
		if err = errors.Join(err, command.Start()); err != nil {
			idle()
			return nil, err
		}
		ends = append(ends, func() { _ = input.Close(); _ = command.Wait() })
	}
	return idle, nil
}
