package testcli

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Usage is what a command took. What the system does not tell is 0.
type Usage struct {
	Wall         time.Duration
	CPU          time.Duration // of the CLI and its providers
	ProviderCPU  time.Duration // of that, its providers', as it was seen last before they ended
	CLIPeak      int64         // of memory, in bytes
	ProviderPeak int64         // of the largest provider process
}

// sampled is how often a command's processes are looked at.
const sampled = 20 * time.Millisecond

// Measure waits for the command's end, and watches what it takes.
func (x *Execution) Measure() Usage {
	var u Usage
	providers := map[int]time.Duration{}
	tick := time.NewTicker(sampled)
	defer tick.Stop()
	for waiting := true; waiting; {
		select {
		case <-x.Exited():
			waiting = false
		case <-tick.C:
			u.CLIPeak = max(u.CLIPeak, peak(x.Pid()))
			for _, id := range x.Providers() {
				u.ProviderPeak = max(u.ProviderPeak, peak(id))
				providers[id] = max(providers[id], used(id))
			}
		}
	}
	u.Wall, u.CPU = time.Since(x.Began), x.CPU()
	for _, cpu := range providers {
		u.ProviderCPU += cpu
	}
	return u
}

// peak is the most memory that a process has had so far.
func peak(id int) int64 { return Memory(id, "VmHWM") }

// Memory is a figure of a process's memory in bytes, such as VmRSS; 0 where the
// system does not tell.
func Memory(id int, name string) int64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", id))
	_, rest, _ := strings.Cut(string(status), name+":")
	var kib int64
	_, _ = fmt.Sscan(rest, &kib)
	return kib << 10
}

// clockTick is the unit of a process's times in /proc, on every platform of Go's.
const clockTick = 10 * time.Millisecond

// used is what a process has had of the processors so far.
func used(id int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", id))
	if err != nil {
		return 0
	}
	return cpuOf(stat)
}

// cpuOf reads user and system time: the 12th and 13th field behind the name, which
// may have anything in it.
func cpuOf(stat []byte) time.Duration {
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, _ := strconv.ParseInt(field, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * clockTick
}
