package testcluster

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
)

// Machine is what tests may use of a machine.
type Machine struct {
	Cores  int
	Memory int64 // bytes, for everything that the tests of all packages run
}

const (
	gigabyte = 1 << 30
	// most is what all tests together may take where there is plenty.
	most = 12 * gigabyte
	// SharedClusters is how many clusters tests of several packages share.
	SharedClusters = 3

	controlPlane = 3 * gigabyte / 2 // the one that most tests use takes twice as much, the others half
	program      = gigabyte         // a test program with the race detector
	test         = gigabyte / 5     // a test with its CLI and its provider
	testsPerCore = 6                // they wait for controllers, drains and Leases
	fewestTests  = 4                // of one program at once
)

// ThisMachine is the one that this process runs on.
func ThisMachine() Machine {
	m := Machine{Cores: runtime.GOMAXPROCS(0), Memory: most}
	if total := memory(); total > 0 {
		m.Memory = min(most, total/2)
	}
	return m
}

// Programs is how many test programs run at once: one a core, as long as each
// has the memory for a few tests.
func (m Machine) Programs() int {
	n := max(m.Cores, 1)
	for n > 1 && m.room(n) < fewestTests {
		n--
	}
	return n
}

// Parallel is how many tests of one program run at once.
func (m Machine) Parallel() int {
	return max(1, min(testsPerCore*m.Cores, m.room(m.Programs())))
}

// room is how many tests each of so many programs has the memory for.
func (m Machine) room(programs int) int {
	each := (m.Memory - SharedClusters*controlPlane) / int64(programs)
	return int((each - program) / test)
}

// memory is how many bytes this machine has; 0 where nothing tells.
func memory() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(text) {
		if fields := bytes.Fields(line); len(fields) > 1 && string(fields[0]) == "MemTotal:" {
			kilobytes, _ := strconv.ParseInt(string(fields[1]), 10, 64)
			return kilobytes << 10
		}
	}
	return 0
}
