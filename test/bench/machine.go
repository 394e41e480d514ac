package bench

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// Machine is where it was measured.
type Machine struct {
	Processors int     `json:"processors"`
	Memory     int     `json:"memory_gb"`
	Load       float64 `json:"load"` // before it began, over one minute
}

// ThisMachine is what the system tells; zeros where it does not.
func ThisMachine() Machine {
	m := Machine{Processors: runtime.NumCPU()}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		_, _ = fmt.Sscan(string(text), &m.Load)
	}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		_, rest, _ := strings.Cut(string(text), "MemTotal:")
		var kib int
		_, _ = fmt.Sscan(rest, &kib)
		m.Memory = (kib + 1<<19) >> 20
	}
	return m
}

// Busy tells whether the machine had other work, too.
func (m Machine) Busy() string {
	if m.Load/float64(max(1, m.Processors)) > 0.25 {
		return fmt.Sprintf("It was busy with other work, too: its load was %.1f before the measurement began.", m.Load)
	}
	return "It did nothing else."
}
