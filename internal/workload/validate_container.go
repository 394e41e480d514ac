package workload

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// reservedEnv is for variables that Switchback may set itself one day.
const reservedEnv = "SWITCHBACK_"

func checkContainer(r *report, at path, c release.Container, volumes release.VolumesByName) {
	checkEnv(r, at, c)
	checkEnvFrom(r, at.to("env_from"), c.EnvFrom)
	checkHandler(r, at.to("post_start"), c.PostStart, c.Ports)
	checkHandler(r, at.to("pre_stop"), c.PreStop, c.Ports)
	checkResources(r, at.to("resources"), c.Resources)
	for _, p := range namedProbes(c) {
		if p.probe != nil {
			checkProbe(r, at.to(p.attribute), p.attribute, *p.probe, c.Ports)
		}
	}
	for _, mountPath := range slices.Sorted(maps.Keys(c.VolumeMounts)) {
		checkMount(r, at.to("volume_mounts", Key(mountPath)), mountPath, c.VolumeMounts[mountPath], volumes)
	}
	checkOwnFiles(r, at.to("files"), c, volumes)
	if s := c.SecurityContext; s != nil && isTrue(s.Privileged) && s.AllowPrivilegeEscalation != nil && !*s.AllowPrivilegeEscalation {
		r.add(at.to("security_context", "allow_privilege_escalation"), "Contradictory security context",
			"A privileged container can always escalate its privileges. Remove allow_privilege_escalation = false, or privileged = true.")
	}
}

// checkPorts looks at all containers that run together: they share one network
// namespace, so only one of them can listen on a number.
func checkPorts(r *report, c release.Content) {
	users := map[socket]string{}
	checkPortsOf(r, path{"container"}, c.Container, users)
	for i, h := range c.Sidecars {
		checkPortsOf(r, path{"sidecars", i}, h.Container, users)
	}
	for i, h := range c.InitContainers {
		checkPortsOf(r, path{"init_containers", i}, h.Container, map[socket]string{})
	}
}

// socket is what only one container of a pod can listen on.
type socket struct {
	number   int32
	protocol string
}

func checkPortsOf(r *report, at path, c release.Container, users map[socket]string) {
	checkProtocols(r, at.to("port_protocols"), c)
	for _, name := range slices.Sorted(maps.Keys(c.Ports)) {
		here, n := at.to("ports", Key(name)), c.Ports[name]
		if bad := validation.IsValidPortName(name); len(bad) > 0 {
			r.add(here, "Invalid port name",
				"%q cannot name a port: %s. Use at most 15 lower case letters, digits and \"-\", with at least one letter, for example \"http\".", name, reasons(bad))
		}
		if bad := validation.IsValidPortNum(int(n)); len(bad) > 0 {
			r.add(here, "Invalid port number", "Port %q is %d: it %s. Use the number the container listens on.", name, n, reasons(bad))
			continue
		}
		listens := socket{n, c.Protocol(name)}
		if other, taken := users[listens]; taken {
			r.add(here, "Duplicate port number",
				"Port %q is %d, which is also %s. Containers of a pod share one network, so a number is declared once for each protocol; remove one of them or change its number.", name, n, other)
			continue
		}
		users[listens] = here.text()
	}
}

func checkProtocols(r *report, at path, c release.Container) {
	for _, name := range slices.Sorted(maps.Keys(c.PortProtocols)) {
		if _, declared := c.Ports[name]; !declared {
			r.add(at.to(Key(name)), "Protocol of an undeclared port",
				"No port of this container is named %q; declared: %s. Use one of these names, or add it to ports.", name, quotedList(slices.Sorted(maps.Keys(c.Ports))))
		}
		switch corev1.Protocol(c.PortProtocols[name]) {
		case corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP:
		default:
			r.add(at.to(Key(name)), "Unknown protocol", "There is no protocol %q. Use TCP (the default), UDP or SCTP.", c.PortProtocols[name])
		}
	}
}

func checkEnv(r *report, at path, c release.Container) {
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		checkEnvName(r, at.to("env", Key(name)), name)
		if _, twice := c.SecretEnv[name]; twice {
			r.add(at.to("secret_env", Key(name)), "Variable defined twice", "%s is in env and in secret_env, and a variable has one value. Remove it from one of them.", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.SecretEnv)) {
		here, ref := at.to("secret_env", Key(name)), c.SecretEnv[name]
		checkEnvName(r, here, name)
		checkObjectName(r, here.to("name"), "Secret", ref.Name)
		if bad := validation.IsConfigMapKey(ref.Key); len(bad) > 0 {
			r.add(here.to("key"), "Invalid key", "%q cannot be a key of a Secret: %s. Use a key of Secret %q.", ref.Key, reasons(bad), ref.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.EnvFromField)) {
		here := at.to("env_from_field", Key(name))
		checkEnvName(r, here, name)
		_, plain := c.Env[name]
		if _, secret := c.SecretEnv[name]; plain || secret {
			r.add(here, "Variable defined twice", "%s is in env_from_field and in env or secret_env, and a variable has one value. Remove it from one of them.", name)
		}
		checkField(r, here, c.EnvFromField[name])
	}
}

// podFields are what a variable can be of a pod, but for its labels and annotations.
var podFields = []string{
	"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
}

// metadataField is one label or annotation.
var metadataField = regexp.MustCompile(`^metadata\.(labels|annotations)\['[^']+'\]$`)

func checkField(r *report, at path, field string) {
	if slices.Contains(podFields, field) || metadataField.MatchString(field) {
		return
	}
	if isResourceField(field) {
		return
	}
	r.add(at, "Unknown field", "%q is no field that a variable can be. Use one of %s; metadata.labels['KEY'] or metadata.annotations['KEY']; or limits.NAME or requests.NAME with cpu, memory, ephemeral-storage or hugepages-SIZE.",
		field, strings.Join(podFields, ", "))
}

// isResourceField says that a field is a resource of a container that can be told.
func isResourceField(field string) bool {
	_, name, ok := strings.Cut(field, ".")
	return ok && isContainerResource(field) && (name == "cpu" || name == "memory" || name == "ephemeral-storage" || strings.HasPrefix(name, "hugepages-"))
}

// checkHandler looks at what a container does after its start or before its end.
func checkHandler(r *report, at path, h *release.Handler, declared map[string]int32) {
	if h == nil {
		return
	}
	var handlers []string
	if len(h.Exec) > 0 {
		handlers = append(handlers, "exec")
	}
	if h.HTTPGet != nil {
		handlers = append(handlers, "http_get")
		checkProbePort(r, at.to("http_get", "port"), h.HTTPGet.Port, declared)
	}
	if h.SleepSeconds != nil {
		handlers = append(handlers, "sleep_seconds")
		if *h.SleepSeconds < 0 {
			r.add(at.to("sleep_seconds"), "Number too small", "sleep_seconds is %d; the least is 0, which does nothing.", *h.SleepSeconds)
		}
	}
	if len(handlers) != 1 {
		has := "It has none."
		if len(handlers) > 1 {
			has = "It has " + strings.Join(handlers, ", ") + "."
		}
		r.add(at, "Not exactly one handler", "A container does one thing at this moment: exec, http_get or sleep_seconds. %s Keep one.", has)
	}
}

func checkEnvName(r *report, at path, name string) {
	if bad := validation.IsEnvVarName(name); len(bad) > 0 {
		r.add(at, "Invalid variable name", "%q cannot name an environment variable: %s. Rename it.", name, reasons(bad))
	}
	if strings.HasPrefix(name, reservedEnv) {
		r.add(at, "Reserved variable name", "%s begins with %s, which is kept for what Switchback itself sets. Rename it.", name, reservedEnv)
	}
}

func checkEnvFrom(r *report, at path, sources []release.EnvFrom) {
	for i, s := range sources {
		here := at.to(i)
		switch {
		case (s.ConfigMap == "") == (s.Secret == ""):
			r.add(here, "Not exactly one source", "An entry of env_from takes all keys of one ConfigMap or of one Secret: set exactly one of config_map and secret. For both, write two entries.")
		case s.ConfigMap != "":
			checkObjectName(r, here.to("config_map"), "ConfigMap", s.ConfigMap)
		default:
			checkObjectName(r, here.to("secret"), "Secret", s.Secret)
		}
		if s.Prefix != "" {
			checkEnvName(r, here.to("prefix"), s.Prefix)
		}
	}
}

func checkResources(r *report, at path, res release.Resources) {
	requests := checkQuantities(r, at.to("requests"), res.Requests)
	limits := checkQuantities(r, at.to("limits"), res.Limits)
	for _, name := range slices.Sorted(maps.Keys(requests)) {
		request, limit := requests[name], limits[name]
		if _, limited := limits[name]; limited && request.Cmp(limit) > 0 {
			r.add(at.to("requests", Key(name)), "Request above its limit",
				"The %s request %s is more than the limit %s. A container is promised no more than it may use: lower the request or raise the limit.", name, res.Requests[name], res.Limits[name])
		}
	}
}

func checkQuantities(r *report, at path, texts map[string]string) map[string]resource.Quantity {
	valid := map[string]resource.Quantity{}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		here := at.to(Key(name))
		if !isResource(name) {
			r.add(here, "Unknown resource", "There is no resource %q. Use cpu, memory, ephemeral-storage, hugepages-<size>, or a device's full name such as nvidia.com/gpu.", name)
		}
		q, err := resource.ParseQuantity(texts[name])
		switch {
		case err != nil:
			r.add(here, "Invalid quantity", "%q is not a quantity. Write a number with an optional unit: \"250m\" or \"0.25\" for CPU, \"128Mi\" or \"1Gi\" for memory.", texts[name])
		case q.Sign() < 0:
			r.add(here, "Negative quantity", "%q is less than nothing. Use a positive quantity.", texts[name])
		default:
			valid[name] = q
		}
	}
	return valid
}

func isResource(name string) bool {
	switch name {
	case "cpu", "memory", "ephemeral-storage":
		return true
	}
	return strings.HasPrefix(name, "hugepages-") || strings.Contains(name, "/") && len(validation.IsQualifiedName(name)) == 0
}

type namedProbe struct {
	attribute string
	probe     *release.Probe
}

func namedProbes(c release.Container) []namedProbe {
	return []namedProbe{
		{"readiness_probe", c.ReadinessProbe},
		{"liveness_probe", c.LivenessProbe},
		{"startup_probe", c.StartupProbe},
	}
}

func checkProbe(r *report, at path, kind string, p release.Probe, declared map[string]int32) {
	var handlers []string
	if p.HTTPGet != nil {
		handlers = append(handlers, "http_get")
		checkProbePort(r, at.to("http_get", "port"), p.HTTPGet.Port, declared)
		if s := p.HTTPGet.Scheme; s != "" && s != "HTTP" && s != "HTTPS" {
			r.add(at.to("http_get", "scheme"), "Unknown scheme", "There is no scheme %q. Use HTTP (the default) or HTTPS.", s)
		}
	}
	if p.TCPSocket != nil {
		handlers = append(handlers, "tcp_socket")
		checkProbePort(r, at.to("tcp_socket", "port"), p.TCPSocket.Port, declared)
	}
	if p.GRPC != nil {
		handlers = append(handlers, "grpc")
		checkProbePort(r, at.to("grpc", "port"), p.GRPC.Port, declared)
	}
	if len(p.Exec) > 0 {
		handlers = append(handlers, "exec")
	}
	if len(handlers) != 1 {
		has := "It has none."
		if len(handlers) > 1 {
			has = "It has " + strings.Join(handlers, ", ") + "."
		}
		r.add(at, "Not exactly one probe handler", "A probe asks in exactly one way: http_get, tcp_socket, grpc or exec. %s Keep one.", has)
	}
	checkProbeNumbers(r, at, kind, p)
}

func checkProbeNumbers(r *report, at path, kind string, p release.Probe) {
	numbers := []struct {
		attribute string
		value     *int32
		least     int32
	}{
		{"initial_delay_seconds", p.InitialDelaySeconds, 0},
		{"period_seconds", p.PeriodSeconds, 1},
		{"timeout_seconds", p.TimeoutSeconds, 1},
		{"success_threshold", p.SuccessThreshold, 1},
		{"failure_threshold", p.FailureThreshold, 1},
	}
	for _, n := range numbers {
		if n.value != nil && *n.value < n.least {
			r.add(at.to(n.attribute), "Number too small", "%s is %d; the least is %d. Raise it, or leave it out for the default.", n.attribute, *n.value, n.least)
		}
	}
	if kind != "readiness_probe" && p.SuccessThreshold != nil && *p.SuccessThreshold > 1 {
		r.add(at.to("success_threshold"), "Success threshold must be 1",
			"success_threshold is %d, but only a readiness probe may ask for more than one success. Remove it.", *p.SuccessThreshold)
	}
}

// checkProbePort lets any number pass: an admin port that only the kubelet asks
// need not be declared, and would be in the Service if it were.
func checkProbePort(r *report, at path, port string, declared map[string]int32) {
	if _, ok := declared[port]; ok {
		return
	}
	names := slices.Sorted(maps.Keys(declared))
	n, err := strconv.Atoi(port)
	switch {
	case err != nil:
		r.add(at, "Probe on an undeclared port",
			"No port of this container is named %q; declared: %s. Use one of these names, add it to ports, or write a number.", port, quotedList(names))
	case len(validation.IsValidPortNum(n)) > 0:
		r.add(at, "Invalid port number", "%d is not a port: it must be between 1 and 65535. Use the number the container listens on.", n)
	}
}
