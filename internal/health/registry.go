package health

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// answer is one thing that registries, and the runtimes that ask them, say of a
// pull that fails. The API has no code for it: which one it is, only the text
// tells. Real ones are in registry_test.go.
type answer struct {
	pattern *regexp.Regexp
	cause   Cause
	class   Class  // where it is less sure than the cause usually is; empty: as usual
	says    string // ends "cannot pull IMAGE: "; %s is the registry, ${1} what the pattern found
	node    bool   // the node says it, of a registry that did not get to say anything
}

const unusable = "what %s has under this name is no image that the node can use"

// answers are tried in this order: some texts have more than one of them, as a
// rate limit's that proposes to log in, or a login's that ends in a timeout.
var answers = []answer{
	// The node's own trouble, which passes.
	{regexp.MustCompile(`(?i)dial unix |\.sock\b`), CauseImagePull, Patient, "the node's container runtime does not answer", true},
	{regexp.MustCompile(`(?i)pull QPS exceeded`), CauseImagePull, Patient, "the node pulls too many images at once", true},
	{regexp.MustCompile(`(?i)no space left on device`), CauseImagePull, Patient, "the node's disk is full", true},
	{regexp.MustCompile(`(?i)failed to (?:extract|unpack).*(?:context canceled|deadline exceeded|input/output error|cannot allocate)`), CauseImagePull, Patient, "the node cannot unpack it", true},

	{regexp.MustCompile(`(?i)\b429\b|too ?many ?requests|pull rate limit`), CauseImageRateLimited, "", "%s serves no more for now (429)", false},

	{regexp.MustCompile(`(?i)no image found in .* for architecture "?([\w.-]+)"?, ?variant "?[\w.-]*"?, ?OS "?(\w+)`), CauseImagePlatform, "", "it was not built for the node's platform, ${2}/${1}", true},
	{regexp.MustCompile(`(?i)no match(?:ing manifest)? for(?: current)? (?:platform )?([a-z]+/\w+(?:/\w+)?)`), CauseImagePlatform, "", "it was not built for the node's platform, ${1}", true},
	{regexp.MustCompile(`(?i)no match for platform|cannot be used on this platform`), CauseImagePlatform, "", "it was not built for the node's platform", true},

	// What is unpacked had the right digest. What was still under way may pass.
	{regexp.MustCompile(`(?i)failed to (?:extract layer|unpack image)`), CauseImageUnusable, "", unusable, true},
	{regexp.MustCompile(`(?i)unexpected EOF|: EOF\b|unexpected commit size|connection reset by peer|broken pipe`), CauseRegistryUnavailable, "", "the connection to %s breaks off", true},
	{regexp.MustCompile(`(?i)no such host|server misbehaving|name resolution|\blookup\b`), CauseRegistryUnavailable, "", "the name of %s cannot be looked up", true},
	{regexp.MustCompile(`(?i)connection refused`), CauseRegistryUnavailable, "", "%s refuses connections", true},
	{regexp.MustCompile(`(?i)no route to host|network is unreachable|host is down`), CauseRegistryUnavailable, "", "the node has no way to %s", true},
	{regexp.MustCompile(`(?i)i/o timeout|handshake timeout|deadline ?exceeded|timed out|awaiting headers|context canceled`), CauseRegistryUnavailable, "", "%s does not answer in time", true},
	{regexp.MustCompile(`(?i)server gave HTTP response to HTTPS client`), CauseRegistryUnavailable, "", "%s speaks no TLS", true},
	{regexp.MustCompile(`(?i)x509:|tls: |certificate`), CauseRegistryUnavailable, "", "the node does not accept the certificate of %s", true},
	{regexp.MustCompile(`(?i)\b(5\d\d) (?:Internal Server Error|Not Implemented|Bad Gateway|Service (?:Temporarily )?Unavailable|Gateway Time-?out)|status(?: ?code)?:? "?(5\d\d)\b`), CauseRegistryUnavailable, "", "%s answers with a server error (${1}${2})", false},

	{regexp.MustCompile(`(?i)invalid tar header|media ?type|unexpected commit digest|digest mismatch|(?:not match|mismatch).* digest|invalid checksum|gzip: invalid|magic number mismatch|parsing image configuration|layer verification failed|could not fetch content descriptor|content at .* not found|blob unknown|unknown blob|schema ?v?1\b|invalid character .* looking for`), CauseImageUnusable, "", unusable, true},

	// Many registries do not say whether it is missing or hidden.
	{regexp.MustCompile(`(?i)pull access denied|insufficient_scope|does not exist or (?:may|no pull)`), CauseImageUnauthorized, "", "%s has no such repository, or wants a login that may pull from it (401)", false},
	{regexp.MustCompile(`(?i)\b403\b|forbidden|\bdenied\b|not authorized to perform`), CauseImageUnauthorized, "", "%s refuses it (403)", false},
	{regexp.MustCompile(`(?i)\b401\b|unauthorized|authentication required|no basic auth credentials|authorization failed|failed to authorize|invalid username/password|not authorized`), CauseImageUnauthorized, "", "%s wants a login that may pull it (401)", false},

	{regexp.MustCompile(`(?i)\b404\b|manifest[ _]unknown|name[ _]unknown|\bnot ?found\b|repository name not known`), CauseImageNotFound, "", "%s has no such image", false},
}

// answerTo finds what is said about a pull; nil where it is none of those. Names
// of images and registries may be made of any words: they do not count.
func answerTo(image, text string) (*answer, []int, string) {
	text = withoutNames(image, text)
	for i := range answers {
		if at := answers[i].pattern.FindStringSubmatchIndex(text); at != nil {
			return &answers[i], at, text
		}
	}
	return nil, nil, text
}

var url = regexp.MustCompile(`(https?|docker)://[^\s"',;]*[^\s"',;:.)]`)

// withoutNames takes the image, its parts and all addresses out of a text.
func withoutNames(image, text string) string {
	text = url.ReplaceAllString(text, "$1://")
	host, repository, tag := splitImage(image)
	for _, name := range []string{image, host + "/" + repository, repository, host} {
		if strings.ContainsAny(name, "/.:") { // a bare word is too much like others
			text = strings.ReplaceAll(text, strings.TrimPrefix(name, "/"), "")
		}
	}
	if tag != "" {
		text = strings.NewReplacer("[manifests "+tag+"]", "", "manifest "+tag+" in", "manifest in").Replace(text)
	}
	return quotedImage.ReplaceAllString(text, "$1")
}

var quotedImage = regexp.MustCompile(`(?i)\b(image|reference) "[^"]*"`)

// splitImage is an image reference's parts; the host is empty where it names none.
func splitImage(image string) (host, repository, tag string) {
	repository, digest, _ := strings.Cut(image, "@")
	if first, rest, ok := strings.Cut(repository, "/"); ok && (strings.ContainsAny(first, ".:") || first == "localhost") {
		host, repository = first, rest
	}
	if at := strings.LastIndex(repository, ":"); at >= 0 {
		repository, tag = repository[:at], repository[at+1:]
	}
	if tag == "" {
		tag = digest
	}
	return host, repository, tag
}

// urlHost is the host of an address that was asked, which is not every one that
// a text has: some explain.
var urlHost = regexp.MustCompile(`(?i)\bhttps?://(?:[^\s/@"']+@)?([a-z0-9.:\[\]-]*[a-z0-9\]])/(?:v2|[^\s"']*token)\b`)

// registryOf is who was asked, as the sentence names it. What a node says names
// whom it did not reach, such as a mirror; CRI-O may ask another registry than
// Docker Hub for a name without one.
func registryOf(image, text string, node bool) string {
	host, _, _ := splitImage(image)
	asked := urlHost.FindStringSubmatch(text)
	switch {
	case asked != nil && (node || host == ""):
		return "registry " + asked[1]
	case host != "":
		return "registry " + host
	case strings.Contains(text, "docker.io/"):
		return "registry docker.io"
	}
	return "the registry"
}

// nesting is what every layer between the registry and the pod's status puts
// before the same error.
var nesting = []*regexp.Regexp{
	regexp.MustCompile(`^\(combined from similar events\): `),
	regexp.MustCompile(`(?i)\b(?:back-off pulling|failed to pull|failed to pull and unpack) image "[^"]*"(?:: |$)`),
	regexp.MustCompile(`(?i)\bimage pull failed for \S+ because the registry is unavailable(?:: |$)`),
	regexp.MustCompile(`(?i)\b(?:ErrImagePull|ImagePullBackOff|RegistryUnavailable): `),
	regexp.MustCompile(`(?i)\brpc error: code = \w+ desc = `),
	regexp.MustCompile(`(?i)\bfailed to resolve (?:reference|image) "[^"]*": `),
	regexp.MustCompile(`(?i)\bfailed to (?:authorize|do request|copy|resolve image): `),
	regexp.MustCompile(`(?i)\bhttpReadSeeker: failed open: `),
	regexp.MustCompile(`(?i)\berror response from daemon: `),
	regexp.MustCompile(`(?i)\b(?:unable to pull image(?: or OCI artifact)?|pull image err|pulling image|copying system image from manifest list): `),
	regexp.MustCompile(`(?i)\b(?:error )?initializing source docker://\S+: `),
	regexp.MustCompile(`(?i)\b(?:error )?reading manifest \S+ in \S+: `),
	regexp.MustCompile(`(?i)\b(?:error )?pinging (?:container|docker) registry \S+: `),
	regexp.MustCompile(`(?i)\bpulling from host \S+ failed with status code \[[^\]]*\]: `),
	regexp.MustCompile(`(?i)\bfailed to fetch (?:oauth|anonymous) token: |\bunable to retrieve auth token: `),
	regexp.MustCompile(`(?i)\bunexpected status(?: code| from \w+ request to)? https?://\S+: `),
	regexp.MustCompile(`(?i)\bunexpected status: `),
	regexp.MustCompile(`(?i)\b(?:head|get) "[^"]*": `),
}

// ownWords are those of whoever refused a pull, once.
func ownWords(image, text string) string {
	for before := ""; before != text; {
		before = text
		for _, noise := range nesting {
			text = noise.ReplaceAllString(text, "")
		}
		for _, registry := range []string{"", "docker.io/", "docker.io/library/"} {
			text = strings.TrimPrefix(text, registry+image+": ")
		}
	}
	parts := strings.Split(strings.TrimSpace(text), ": ")
	return strings.Join(slices.CompactFunc(parts, strings.EqualFold), ": ")
}

// told is the answer in words, with who gave it.
func (a *answer) told(image, text string, at []int, found string) string {
	says := a.says
	if strings.Contains(says, "%s") {
		says = fmt.Sprintf(says, registryOf(image, text, a.node))
	}
	return string(a.pattern.ExpandString(nil, says, found, at))
}
