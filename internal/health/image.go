package health

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// PullThreshold is how many pulls must fail for a registry that is busy or away
// to be no passing matter. The kubelet waits 10 and 20 seconds between the first
// three, and for its next round: that makes 40 seconds or more. Of a fourth it
// may tell no event any more, because a pod may have 25 at once.
const PullThreshold int32 = 3

// imageFinding: the kubelet cannot get the image. Its reasons are in
// k8s.io/kubernetes/pkg/kubelet/images and k8s.io/cri-api/pkg/errors.
func imageFinding(s subject) *Finding {
	evidence := longest(s.waitingMessage(), messageOf(s.events.last(s.pod, s.status.Name, "Failed")))
	switch s.waitingFor() {
	case "InvalidImageName":
		return s.finding(CauseInvalidImageName, Certain, "names an image that is not one: "+s.image(), evidence, "")
	case "ErrImageNeverPull":
		return s.finding(CauseImageNeverPull, Certain, fmt.Sprintf("needs %s, which is not on the node and may not be pulled", s.image()), evidence, "")
	case "SignatureValidationFailed":
		return s.finding(CauseImageSignature, Certain, fmt.Sprintf("cannot use %s: its signature is not accepted", s.image()), evidence, "")
	case "ImageInspectError":
		return s.finding(CauseImageInspect, Patient, fmt.Sprintf("cannot use %s: the node cannot read it", s.image()), evidence, "")
	case "ErrImagePull", "ImagePullBackOff", "RegistryUnavailable":
		return s.pullFinding()
	}
	return nil
}

// image is as the user wrote it: the status may hold a resolved name.
func (s subject) image() string { return cmp.Or(s.spec.Image, s.status.Image) }

func (s subject) pullFinding() *Finding {
	text := shorten(s.pullText(), mostPullText)
	cause, class, says := CauseImagePull, Class(""), ""
	voice := "the node said: "
	a, at, found := answerTo(s.image(), text)
	switch {
	case a != nil:
		cause, class, says = a.cause, a.class, ": "+a.told(s.image(), text, at, found)
		if !a.node {
			voice = "the registry said: "
		}
	case s.waitingFor() == "RegistryUnavailable":
		cause, says = CauseRegistryUnavailable, fmt.Sprintf(": %s does not answer", registryOf(s.image(), text, true))
	}
	failed := s.failedPulls(cause)
	if class = cmp.Or(class, explanation(cause).Class); class == Repeated && failed.times < PullThreshold {
		class = Patient
	}
	evidence := ownWords(s.image(), text)
	if evidence != "" {
		evidence = voice + evidence
	}
	if line := failed.String(); line != "" {
		evidence = strings.TrimSpace(evidence + "\n" + line)
	}
	return s.finding(cause, class, "cannot pull "+s.image()+says, evidence, s.pullHint(cause))
}

// mostPullText is more than a pull has to say, and little enough to look for
// answers in at each change.
const mostPullText = 4000

// pullText is what the kubelet says of the pull: the status first, unless it only
// says that it waits for the next one, as it does before Kubernetes 1.32.
func (s subject) pullText() string {
	status := shorten(s.waitingMessage(), mostPullText)
	if a, _, _ := answerTo(s.image(), status); a != nil {
		return status
	}
	text := status
	for _, e := range s.pullEvents() {
		if a, _, _ := answerTo(s.image(), e.Message); a != nil {
			return messageOf(e)
		}
		text = longest(text, messageOf(e))
	}
	return text
}

// pullEvents are those of pulls that failed, the newest first.
func (s subject) pullEvents() []*corev1.Event {
	var pulls []*corev1.Event
	for _, e := range s.events.all(s.pod, s.status.Name, "Failed") {
		if strings.Contains(e.Message, "Failed to pull image") { // and not "Error: ImagePullBackOff"
			pulls = append(pulls, e)
		}
	}
	return pulls
}

// pulls are how often the same failed, and in how long.
type pulls struct {
	times       int32
	first, last time.Time
}

func (s subject) failedPulls(cause Cause) pulls {
	var sum pulls
	for _, e := range s.pullEvents() {
		of := CauseImagePull
		if a, _, _ := answerTo(s.image(), e.Message); a != nil {
			of = a.cause
		}
		if of != cause && s.waitingFor() != "RegistryUnavailable" {
			continue
		}
		sum.times += count(e)
		if last := lastSeen(e); last.After(sum.last) {
			sum.last = last
		}
		if first := firstSeen(e); sum.first.IsZero() || first.Before(sum.first) {
			sum.first = first
		}
	}
	return sum
}

func (p pulls) String() string {
	switch took := p.last.Sub(p.first).Round(time.Second); {
	case p.times == 0:
		return ""
	case p.times == 1 || took <= 0:
		return fmt.Sprintf("event %q %s", "Failed", times(p.times))
	default:
		return fmt.Sprintf("event %q %s in %s", "Failed", times(p.times), took)
	}
}

// pullHint is the table's, unless the pod tells what is the matter with its login.
func (s subject) pullHint(cause Cause) string {
	if cause != CauseImageUnauthorized {
		return ""
	}
	const hidden = "; many registries say the same of a repository that does not exist, so see that its name is right, too"
	if e := s.events.last(s.pod, "", "FailedToRetrieveImagePullSecret"); e != nil {
		if found := inBrackets.FindStringSubmatch(e.Message); found != nil {
			return fmt.Sprintf("create Secret %s in namespace %q: image_pull_secrets names it, and it cannot be read", quoteEach(found[1]), s.pod.Namespace)
		}
	}
	var names []string
	for _, secret := range s.pod.Spec.ImagePullSecrets {
		names = append(names, secret.Name)
	}
	if len(names) == 0 {
		return "name a Secret with a login in image_pull_secrets: the pods have none" + hidden
	}
	host, _, _ := splitImage(s.image())
	return fmt.Sprintf("see that Secret %s in namespace %q has a login for %s, and what that login may pull", quoteEach(strings.Join(names, ", ")), s.pod.Namespace, cmp.Or(host, "docker.io")) + hidden
}

var inBrackets = regexp.MustCompile(`\(([^)]+)\)`)

// quoteEach quotes each of some names: "a", "b".
func quoteEach(names string) string {
	return `"` + strings.Join(strings.Split(names, ", "), `", "`) + `"`
}

// NeedsEvents says that a verdict without events may be another one than with
// them: a pull's error, and how often it has failed, may be told only there.
func (v Verdict) NeedsEvents() bool {
	if len(v.Findings) == 0 {
		return false
	}
	switch v.Findings[0].Cause { //nolint:exhaustive // of all the others the status tells enough
	case CauseImagePull, CauseImageRateLimited, CauseRegistryUnavailable:
		return true
	}
	return false
}
