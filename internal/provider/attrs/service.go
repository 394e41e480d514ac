package attrs

import (
	"fmt"
	"maps"
	"slices"
)

// ServiceURL is a Service's address inside its cluster: with the port named
// "http", else the first one by name.
func ServiceURL(service, namespace string, ports map[string]int32) string {
	port, ok := ports["http"]
	if !ok {
		port = ports[slices.Min(slices.Collect(maps.Keys(ports)))]
	}
	return fmt.Sprintf("http://%s.%s.svc:%d", service, namespace, port)
}
