package release

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"time"
)

// RequestKey is the key, in an application's ConfigMap, of what somebody asks of whoever
// promotes: it holds the Lease, so that nobody else may act.
const RequestKey = "request.json"

// RequestKind is what is asked for.
type RequestKind string

// What may be asked for. Whoever does not know a kind leaves it alone.
const (
	RequestReturn RequestKind = "return" // take the promotion back
	RequestResume RequestKind = "resume" // go on from the pause that it is in
	RequestHold   RequestKind = "hold"   // end in a pause, where it is
	RequestSkip   RequestKind = "skip"   // give it all of the traffic, without the shares and pauses that are left
)

// Request asks whoever promotes for something.
type Request struct {
	Kind RequestKind `json:"kind"`
	From string      `json:"from"` // the promotion's
	To   string      `json:"to"`
	Step int         `json:"step,omitempty"` // the pause that a resume ends, by its place in the list of steps
	By   string      `json:"by,omitempty"`   // who asks; empty: not known
	Why  string      `json:"why,omitempty"`  // in their words; empty: they have not said
	At   time.Time   `json:"at,omitzero"`    // by the API server's clock

	// Since is when the pause began that a resume ends: a promotion that begins anew, after
	// a run was killed, comes to the same step once more.
	Since time.Time `json:"since,omitzero"`

	// Holder is the run that is asked to hold, or to skip: the next one finds what that has made of it.
	Holder string `json:"holder,omitempty"`

	// Forgets says of a return that nothing is remembered against the release, as after a
	// Ctrl-C. Who does not know it remembers that somebody went back.
	Forgets bool `json:"forgets,omitempty"`
}

// Asks says that something is asked of a promotion: one to the same release, from the
// same; and to go on, only in the very pause.
func (r *Request) Asks(kind RequestKind, p *Progress) bool {
	return r != nil && r.Kind == kind && r.From == p.From && r.To == p.To && (kind != RequestResume || r.Step == p.At && r.Since.Equal(p.Since)) &&
		(kind != RequestHold && kind != RequestSkip || r.Holder != "" && r.Holder == p.Holder)
}

// Resuming is the request that ends the pause in which a promotion is.
func Resuming(p *Progress) Request {
	return Request{Kind: RequestResume, From: p.From, To: p.To, Step: p.At, Since: p.Since}
}

// Waits says that a promotion is in a pause that is not over: by the API server's clock,
// and by what is asked for.
func (p *Progress) Waits(now time.Time, r *Request) bool {
	step := p.Step()
	switch {
	case p.Paused && p.Held != nil:
		return true
	case !p.Paused || step.Kind != StepPause || r.Asks(RequestResume, p):
		return false
	case step.Gate != "":
		return true
	default:
		return now.Before(p.Since.Add(step.For))
	}
}

// PauseText says, on one line, in which pause a promotion of an application is, and what
// ends it.
func PauseText(cluster, namespace, application string, p *Progress) string {
	step := p.Step()
	has := p.Has()
	if p.Held != nil {
		return fmt.Sprintf("%s, and is %s, until somebody lets it go on: `kubectl switchback resume %s --namespace %s`, or the action switchback_resume; then apply again", has, p.Held.Text(), application, namespace)
	}
	switch step.Gate {
	case GateMaxWeight:
		return has + ": it gets more when canary.max_weight is raised"
	case GateGroup:
		return has + ", and waits for the other members of its group"
	case GateManual:
		return has + " until somebody lets it go on: " + letsGoOn(cluster, namespace, MainName(application), Resuming(p), application)
	}
	return fmt.Sprintf("%s. Its pause ends at %s: the next apply after that goes on", has, p.Since.Add(step.For).UTC().Format(time.RFC3339))
}

// letsGoOn says how somebody lets go on what is paused, of whose application name is: by a
// request in a ConfigMap. kubectl alone is enough.
func letsGoOn(cluster, namespace, configMap string, asking Request, application string) string {
	request, _ := json.Marshal(asking)
	patch, _ := json.Marshal(map[string]any{"data": map[string]string{RequestKey: string(request)}})
	return fmt.Sprintf("`kubectl patch configmap %s --namespace %s --type merge --patch '%s'` on cluster %q, `kubectl switchback resume %s --namespace %s`, or the action switchback_resume; then apply again",
		configMap, namespace, patch, cluster, application, namespace)
}

// GroupPauseText says the same of a group, which pauses together: by one of its members.
func GroupPauseText(member, text string) string {
	return member + ": " + text + ". What ends this pause ends it for all of the group"
}

// RequestIn is what an application's ConfigMap asks for; nil where that is nothing, or
// cannot be read: then nobody is asked.
func RequestIn(data map[string]string) *Request {
	r := new(Request)
	if json.Unmarshal([]byte(data[RequestKey]), r) != nil {
		return nil
	}
	return r
}

// Asking is the data of an application's ConfigMap with a request in it.
func Asking(data map[string]string, r Request) (map[string]string, error) {
	asked, err := marshal(RequestKey, &r)
	if err != nil {
		return nil, err
	}
	next := maps.Clone(data)
	maps.Copy(next, asked)
	return next, nil
}

// AskedBackError says that a promotion is taken back because somebody has asked for it.
type AskedBackError struct {
	Cluster string
	ID      ID // the release
	Request Request
	Theirs  string // what the traffic goes back to, where that is no release
}

func (e *AskedBackError) Error() string {
	by := "somebody"
	if e.Request.By != "" {
		by = e.Request.By
	}
	text := fmt.Sprintf("%s asked on cluster %q to go back from %s to %s", by, e.Cluster, e.ID, OrNothing(cmp.Or(e.Request.From, e.Theirs)))
	if e.Request.Why != "" {
		text += ": " + e.Request.Why
	}
	return text
}
