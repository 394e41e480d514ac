package testnode

import (
	"slices"
	"testing"
)

func TestParseRoute(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT": "",
		"eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0":                       "0.0.0.0/0",
		"eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0":                       "192.0.2.0/24",
		"vpn0\t0000C10A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0":                       "10.193.0.0/16",
		"": "",
	} {
		got := ""
		if prefix, ok := parseRoute(line); ok {
			got = prefix.String()
		}
		if got != want {
			t.Errorf("%q is %q, want %q", line, got, want)
		}
	}
}

func TestMountPointsAreRead(t *testing.T) {
	t.Parallel()
	points, err := mountPoints()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(points, func(p mountPoint) bool { return p.path == "/proc" && p.id != "" }) {
		t.Errorf("/proc is not among %v", points)
	}
}
