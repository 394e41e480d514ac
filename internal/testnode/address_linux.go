package testnode

import (
	"bufio"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
)

// unrouted tells whether the layout's addresses are free on this machine.
func (l layout) unrouted() error {
	ours := netip.MustParsePrefix(l.network())
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return err
	}
	for _, address := range addresses {
		if theirs, err := netip.ParsePrefix(address.String()); err == nil && ours.Overlaps(theirs.Masked()) {
			return fmt.Errorf("%s overlaps with %s of this machine", ours, theirs)
		}
	}
	file, err := os.Open("/proc/net/route")
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if theirs, ok := parseRoute(lines.Text()); ok && theirs.Bits() > 0 && ours.Overlaps(theirs) {
			return fmt.Errorf("%s overlaps with a route of this machine to %s", ours, theirs)
		}
	}
	return nil
}

// parseRoute reads the destination in a line of /proc/net/route, whose numbers
// are in hexadecimal, the lowest byte first.
func parseRoute(line string) (netip.Prefix, bool) {
	fields := strings.Fields(line)
	if len(fields) < 8 {
		return netip.Prefix{}, false
	}
	var to, mask [4]byte
	for text, into := range map[string]*[4]byte{"1" + fields[1]: &to, "7" + fields[7]: &mask} {
		var n uint32
		if _, err := fmt.Sscanf(text[1:], "%08X", &n); err != nil {
			return netip.Prefix{}, false
		}
		*into = [4]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}
	}
	ones, _ := net.IPv4Mask(mask[0], mask[1], mask[2], mask[3]).Size()
	return netip.PrefixFrom(netip.AddrFrom4(to), ones), true
}
