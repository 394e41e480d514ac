package mask

import (
	"strings"
	"testing"
)

// TestKeysInLogs: a private key that fills many lines of a log is hidden as a
// whole, also where the reader begins in the middle; what follows is not.
func TestKeysInLogs(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", 2)
	for name, tt := range map[string]struct{ log, want string }{
		"a key":           {"key:\n-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n" + body + "\nabc=\n-----END RSA PRIVATE KEY-----\nready", "key:\n***\n***\n***\n***\n***\n***\nready"},
		"after a word":    {"key is -----BEGIN PRIVATE KEY-----\n" + body + "\n-----END PRIVATE KEY-----\nready", "key is ***\n***\n***\nready"},
		"cut off":         {"-----BEGIN PRIVATE KEY-----\n" + body + "\nlistening on :8080\nready", "***\n***\nlistening on :8080\nready"},
		"from its middle": {body + "\n" + body + "\nready", "***\n***\nready"},
		"a certificate":   {"-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----"},
		"another secret":  {"password=hunter2\nready", "password=***\nready"},
	} {
		var lines Lines
		var got []string
		for _, line := range strings.Split(tt.log, "\n") {
			got = append(got, lines.Redact(line))
		}
		if text := strings.Join(got, "\n"); text != tt.want {
			t.Errorf("%s: got\n%s", name, text)
		}
	}
}
