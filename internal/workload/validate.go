package workload

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	imageref "github.com/distribution/reference"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Validate finds, before anything is written, what the API server would refuse
// or what could never work. Values must be known; the caller leaves out what is
// not known yet.
func Validate(spec release.Spec) []Problem {
	r := &report{}
	c := spec.Content
	checkIdentity(r, spec)
	checkStrategy(r, spec)
	checkDisruption(r, path{"disruption_budget"}, spec.Disruption)
	checkPreview(r, path{"preview"}, spec)
	checkHealth(r, path{"health"}, spec.Health)
	checkImage(r, path{"image"}, c.Image)
	checkContainer(r, path{"container"}, c.Container, c.Volumes)
	checkHelpers(r, c)
	checkPorts(r, c)
	checkVolumes(r, c.Volumes)
	checkAllFiles(r, c)
	checkPlacement(r, c)
	checkMetadata(r, c)
	checkGracePeriod(r, c)
	if c.PodSecurity != "" && !slices.Contains(release.PodSecurities(), c.PodSecurity) {
		r.add(path{"pod_security"}, "Unknown pod security level",
			"There is no level %q. Use restricted, baseline (the default) or none.", c.PodSecurity)
	}
	checkTemplatePatch(r, c)
	checkAutoscaling(r, spec)
	checkSize(r, spec)
	return r.problems
}

func checkIdentity(r *report, spec release.Spec) {
	checkApplication(r, path{"application"}, spec.Content.Application)
	if reasonList := validation.IsDNS1123Label(spec.Namespace); len(reasonList) > 0 {
		r.add(path{"namespace"}, "Invalid namespace",
			"%q cannot name a namespace: %s. Use the name of an existing namespace.", spec.Namespace, reasons(reasonList))
	}
	if spec.Replicas < 0 {
		r.add(path{"replicas"}, "Negative replicas",
			"replicas is %d; it cannot be less than 0. Set it to 1 or more.", spec.Replicas)
	}
}

func checkApplication(r *report, at path, application string) {
	if len(application) > release.MaxApplicationLength || len(validation.IsDNS1035Label(application)) > 0 {
		r.add(at, "Invalid application name",
			"%q cannot name an application. The name becomes part of the names of Services, so it consists of lower case letters, digits and \"-\", begins with a letter, "+
				"ends with a letter or digit, and has at most %d characters (this one has %d). Choose another one, for example %q.",
			application, release.MaxApplicationLength, len(application), suggestName(application))
	}
}

// suggestName is the nearest valid application name.
func suggestName(typed string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(typed) {
		switch {
		case r >= 'a' && r <= 'z', b.Len() > 0 && (r == '-' || r >= '0' && r <= '9'):
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	name := b.String()
	name = strings.Trim(name[:min(len(name), release.MaxApplicationLength)], "-")
	if name == "" {
		return "app"
	}
	return name
}

func checkImage(r *report, at path, image string) {
	_, err := imageref.ParseNormalizedNamed(image)
	if err == nil {
		return
	}
	hint := "Write it as registry/repository:tag or registry/repository@sha256:digest."
	switch {
	case image == "":
		hint = "Name the image to run, as registry/repository:tag."
	case errors.Is(err, imageref.ErrNameContainsUppercase) || image != strings.ToLower(image):
		hint = "A repository's name is all lower case (a tag need not be): try " + lowerRepository(image) + "."
	case strings.TrimSpace(image) != image:
		hint = "Remove the white space around it."
	}
	r.add(at, "Invalid image reference", "%q is not an image reference: %s. %s", image, err, hint)
}

func lowerRepository(image string) string {
	repository, rest := image, ""
	if i := strings.LastIndexAny(image, ":@"); i > strings.LastIndexByte(image, '/') {
		repository, rest = image[:i], image[i:]
	}
	return strings.ToLower(repository) + rest
}

func checkHelpers(r *report, c release.Content) {
	seen := map[string]string{c.Application: "the application's own container"}
	lists := []struct {
		attribute string
		helpers   []release.Helper
	}{{"init_containers", c.InitContainers}, {"sidecars", c.Sidecars}}
	for _, list := range lists {
		for i, h := range list.helpers {
			at := path{list.attribute, i}
			if bad := validation.IsDNS1123Label(h.Name); len(bad) > 0 {
				r.add(at.to("name"), "Invalid container name", "%q cannot name a container: %s. Choose another name.", h.Name, reasons(bad))
			} else if other, twice := seen[h.Name]; twice {
				r.add(at.to("name"), "Duplicate container name",
					"%q is also the name of %s. Every container of a pod has its own name, and the application's container is named like the application. Rename one.", h.Name, other)
			}
			seen[h.Name] = at.text()
			checkImage(r, at.to("image"), h.Image)
			checkContainer(r, at, h.Container, c.Volumes)
			if list.attribute == "init_containers" {
				refuseProbes(r, at, h.Container)
			}
		}
	}
}

func refuseProbes(r *report, at path, c release.Container) {
	for _, p := range namedProbes(c) {
		if p.probe != nil {
			r.add(at.to(p.attribute), "Probe on an init container",
				"An init container runs to its end before the application starts, so it has no probes. Remove the probe, or make the container one of the sidecars.")
		}
	}
	for attribute, h := range map[string]*release.Handler{"post_start": c.PostStart, "pre_stop": c.PreStop} {
		if h != nil {
			r.add(at.to(attribute), "Handler on an init container",
				"An init container runs to its end before the application starts: nothing is done after its start or before its end. Remove %s, or make the container one of the sidecars.", attribute)
		}
	}
}

func checkGracePeriod(r *report, c release.Content) {
	seconds, sleep := DefaultGracePeriod, PreStopSeconds
	if c.GracePeriod != nil {
		seconds = *c.GracePeriod
	}
	at := path{"termination_grace_period_seconds"}
	if own := c.Container.PreStop; own != nil {
		sleep = 0 // how long a program or a request takes is the user's to know
		if own.SleepSeconds != nil {
			sleep = *own.SleepSeconds
		}
		if c.GracePeriod == nil {
			at = path{"container", "pre_stop"}
		}
	}
	drain, orDefault := int64(release.DefaultDrain/time.Second), ""
	if c.GracePeriod != nil && sleep == PreStopSeconds {
		orDefault = fmt.Sprintf(", or leave it out for %d", DefaultGracePeriod)
	}
	if floor := sleep + drain; seconds <= floor {
		r.add(at, "Grace period too short",
			"termination_grace_period_seconds: %d s is too short. A pod goes on serving for %d s after it was told to end, and requests may take another %d s to drain: the period must be longer than both together. "+
				"Use at least %d%s.", seconds, sleep, drain, floor+1, orDefault)
	}
}

func checkPlacement(r *report, c release.Content) {
	if c.ServiceAccount != "" {
		checkObjectName(r, path{"service_account_name"}, "service account", c.ServiceAccount)
	}
	for i, name := range c.PullSecrets {
		checkObjectName(r, path{"image_pull_secrets", i}, "Secret", name)
	}
	for _, key := range slices.Sorted(maps.Keys(c.NodeSelector)) {
		at := path{"node_selector", Key(key)}
		checkQualifiedName(r, at, "node label", key)
		checkLabelValue(r, at, "node label", c.NodeSelector[key])
	}
	for i, t := range c.Tolerations {
		checkToleration(r, path{"tolerations", i}, t)
	}
	if c.PriorityClass != "" {
		checkObjectName(r, path{"priority_class_name"}, "PriorityClass", c.PriorityClass)
	}
	if c.RuntimeClass != "" {
		checkObjectName(r, path{"runtime_class_name"}, "RuntimeClass", c.RuntimeClass)
	}
	if c.TopologySpread != nil {
		for i, t := range *c.TopologySpread {
			checkSpread(r, path{"topology_spread", i}, t)
		}
	}
	checkAffinity(r, path{"affinity"}, c.Affinity)
	checkNames(r, c)
}

func isAddress(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}

func checkSpread(r *report, at path, t release.TopologySpread) {
	checkQualifiedName(r, at.to("topology_key"), "node label", t.TopologyKey)
	switch corev1.UnsatisfiableConstraintAction(t.WhenUnsatisfiable) {
	case "", corev1.ScheduleAnyway, corev1.DoNotSchedule:
	default:
		r.add(at.to("when_unsatisfiable"), "Unknown action", "There is no action %q. Use ScheduleAnyway (the default) or DoNotSchedule.", t.WhenUnsatisfiable)
	}
	if t.MaxSkew < 0 {
		r.add(at.to("max_skew"), "Number too small", "max_skew is %d; the least is 1.", t.MaxSkew)
	}
	if t.MinDomains != nil && (*t.MinDomains < 1 || t.WhenUnsatisfiable != string(corev1.DoNotSchedule)) {
		r.add(at.to("min_domains"), "Useless min_domains", "min_domains is at least 1, and counts only with when_unsatisfiable = \"DoNotSchedule\". Set that, or remove it.")
	}
}

// checkNames looks at how the pods resolve names.
func checkNames(r *report, c release.Content) {
	for _, address := range slices.Sorted(maps.Keys(c.HostAliases)) {
		at := path{"host_aliases", Key(address)}
		if !isAddress(address) {
			r.add(at, "Invalid address", "%q is no IP address. The keys of host_aliases are addresses, the values the names that lead there.", address)
		}
		for i, name := range c.HostAliases[address] {
			if bad := validation.IsDNS1123Subdomain(name); len(bad) > 0 {
				r.add(at.to(i), "Invalid host name", "%q is no host name: %s.", name, reasons(bad))
			}
		}
	}
	if c.DNS == nil {
		return
	}
	switch corev1.DNSPolicy(c.DNS.Policy) {
	case "", corev1.DNSClusterFirst, corev1.DNSClusterFirstWithHostNet, corev1.DNSDefault:
	case corev1.DNSNone:
		if len(c.DNS.Nameservers) == 0 {
			r.add(path{"dns", "nameservers"}, "No name server", "With policy None, the pods ask the given name servers only. Name one, or leave out policy.")
		}
	default:
		r.add(path{"dns", "policy"}, "Unknown DNS policy", "There is no policy %q. Use ClusterFirst (the default), ClusterFirstWithHostNet, Default or None.", c.DNS.Policy)
	}
	for i, server := range c.DNS.Nameservers {
		if !isAddress(server) {
			r.add(path{"dns", "nameservers", i}, "Invalid address", "%q is no IP address.", server)
		}
	}
}

func checkToleration(r *report, at path, t release.Toleration) {
	operator := corev1.TolerationOperator(t.Operator)
	switch operator {
	case "", corev1.TolerationOpEqual, corev1.TolerationOpExists:
	default:
		r.add(at.to("operator"), "Unknown toleration operator", "There is no operator %q. Use Equal (the default) or Exists.", t.Operator)
	}
	effect := corev1.TaintEffect(t.Effect)
	switch effect {
	case "", corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute:
	default:
		r.add(at.to("effect"), "Unknown taint effect",
			"There is no effect %q. Use NoSchedule, PreferNoSchedule or NoExecute, or leave it out for all of them.", t.Effect)
	}
	if operator == corev1.TolerationOpExists && t.Value != "" {
		r.add(at.to("value"), "Toleration with a useless value", "With operator Exists a toleration matches any value, so it takes none. Remove value, or use operator Equal.")
	}
	if t.Key == "" && operator != corev1.TolerationOpExists {
		r.add(at.to("key"), "Toleration without a key", "A toleration without key matches every taint, which needs operator Exists. Set key, or operator = \"Exists\".")
	}
	if t.Seconds != nil && effect != corev1.TaintEffectNoExecute {
		r.add(at.to("toleration_seconds"), "Useless toleration seconds", "toleration_seconds says when pods are evicted, which only the effect NoExecute does. Set effect = \"NoExecute\", or remove it.")
	}
}

func checkMetadata(r *report, c release.Content) {
	for _, key := range slices.Sorted(maps.Keys(c.Labels)) {
		at := path{"labels", Key(key)}
		checkReserved(r, at, "label", key)
		checkQualifiedName(r, at, "label", key)
		checkLabelValue(r, at, "label", c.Labels[key])
	}
	for _, key := range slices.Sorted(maps.Keys(c.Annotations)) {
		at := path{"annotations", Key(key)}
		checkReserved(r, at, "annotation", key)
		checkQualifiedName(r, at, "annotation", strings.ToLower(key)) // annotation keys are compared in lower case
	}
}

func checkReserved(r *report, at path, kind, key string) {
	if reserved(key) {
		r.add(at, "Reserved "+kind,
			"The %s %q is set by Switchback, which finds its objects by it. Reserved are everything under %s and app.kubernetes.io/name, instance, version and managed-by. Choose another key.",
			kind, key, release.Prefix)
	}
}

func checkTemplatePatch(r *report, c release.Content) {
	if strings.TrimSpace(c.TemplatePatch) == "" {
		return
	}
	patched := c.Normalize()
	plain := patched
	plain.TemplatePatch = ""
	before, err := podTemplate(plain, c.Application)
	if err != nil {
		return // what is wrong with the rest was said already
	}
	after, err := podTemplate(patched, c.Application)
	if err != nil {
		r.add(path{"pod_template_patch"}, "Invalid pod template patch",
			"%s. The patch is YAML, merged strategically into the pod template: lists of containers and volumes merge by name. Correct it, or remove it.", err)
		return
	}
	checkPatchedPorts(r, before, after)
	checkPatchedKinds(r, before, after)
}

// checkPatchedPorts finds a patch that takes a declared port away. Services find
// their ports by name and protocol: what they do not find has no endpoints, and
// the address would lead nowhere although every pod is ready. Its number may
// change, which is followed.
func checkPatchedPorts(r *report, before, after *corev1.PodTemplateSpec) {
	if taken := takenPorts(before.Spec.Containers, after.Spec.Containers); len(taken) > 0 {
		r.add(path{"pod_template_patch"}, "Pod template patch replaces a port",
			"%s. A Service finds a port by its name, in the first container that has one, so that the application's address would lead there. "+
				"Give that port another name; or add the container by `sidecars`, which come behind.", strings.Join(taken, "; "))
	}
	lost := slices.Concat(lostPorts(before.Spec.Containers, after.Spec.Containers), lostPorts(before.Spec.InitContainers, after.Spec.InitContainers))
	if len(lost) == 0 {
		return
	}
	r.add(path{"pod_template_patch"}, "Pod template patch replaces a port",
		"It takes away %s. A Service finds its ports by name and protocol, so that the application's address would lead nowhere. "+
			"Ports merge by their number alone, whatever the protocol: a second port on a number that is declared replaces the declared one. "+
			"Give the port another number; or declare it without a patch, with `ports` and `port_protocols`, where two ports may have one number. What stands below `$patch: replace` is all there is: name every declared port in it.",
		strings.Join(lost, "; "))
}

// takenPorts are the declared ports that another container has, too, which comes
// first then, for people.
func takenPorts(before, after []corev1.Container) []string {
	first := func(containers []corev1.Container, port corev1.ContainerPort) string {
		i := slices.IndexFunc(containers, func(c corev1.Container) bool {
			return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == port.Name && samePort(p.Protocol, port.Protocol) })
		})
		if i < 0 {
			return ""
		}
		return containers[i].Name
	}
	var taken []string
	for _, container := range before {
		for _, port := range container.Ports {
			had, has := first(before, port), first(after, port)
			if port.Name != "" && had == container.Name && has != "" && has != had {
				taken = append(taken, fmt.Sprintf("Its container %q comes before the container %q, and has a port %q, too", has, had, port.Name))
			}
		}
	}
	return taken
}

// lostPorts are the declared ports that containers have no more, for people.
func lostPorts(before, after []corev1.Container) []string {
	var lost []string
	for _, container := range before {
		i := slices.IndexFunc(after, func(c corev1.Container) bool { return c.Name == container.Name })
		if i < 0 {
			continue // it was removed as a whole, which says so
		}
		for _, port := range container.Ports {
			if !slices.ContainsFunc(after[i].Ports, func(p corev1.ContainerPort) bool { return p.Name == port.Name && samePort(p.Protocol, port.Protocol) }) {
				lost = append(lost, fmt.Sprintf("the port %q (%d/%s) of the container %q, which has %s then",
					port.Name, port.ContainerPort, cmp.Or(port.Protocol, corev1.ProtocolTCP), container.Name, portTexts(after[i].Ports)))
			}
		}
	}
	return lost
}

func samePort(a, b corev1.Protocol) bool {
	return cmp.Or(a, corev1.ProtocolTCP) == cmp.Or(b, corev1.ProtocolTCP)
}

// portTexts is a container's ports for people.
func portTexts(ports []corev1.ContainerPort) string {
	if len(ports) == 0 {
		return "no ports"
	}
	var texts []string
	for _, p := range ports {
		texts = append(texts, strings.TrimSpace(fmt.Sprintf("%s %d/%s", p.Name, p.ContainerPort, cmp.Or(p.Protocol, corev1.ProtocolTCP))))
	}
	return strings.Join(texts, ", ")
}

func checkObjectName(r *report, at path, kind, name string) {
	if bad := validation.IsDNS1123Subdomain(name); len(bad) > 0 {
		r.add(at, "Invalid name", "%q cannot name a %s: %s. Use the name of an existing one.", name, kind, reasons(bad))
	}
}

func checkQualifiedName(r *report, at path, kind, key string) {
	if bad := validation.IsQualifiedName(key); len(bad) > 0 {
		r.add(at, "Invalid "+kind+" key", "%q cannot be the key of a %s: %s. Choose another key.", key, kind, reasons(bad))
	}
}

func checkLabelValue(r *report, at path, kind, value string) {
	if bad := validation.IsValidLabelValue(value); len(bad) > 0 {
		r.add(at, "Invalid "+kind+" value", "%q cannot be the value of a %s: %s. Choose another value, or use an annotation.", value, kind, reasons(bad))
	}
}
