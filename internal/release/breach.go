package release

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"time"
)

// Breach is a release that was main and did not pass its bake, or that somebody took the
// traffic from: a share, or all of it. It is remembered so that the same release is not
// tried again as if nothing had been seen.
type Breach struct {
	From       string    `json:"from,omitempty"`   // main before it, to which traffic went back
	Theirs     string    `json:"theirs,omitempty"` // to whom it went back where that is no release: what an adopted rule led to before
	To         string    `json:"to"`               // the release
	Share      int       `json:"share,omitempty"`  // percent of the traffic that it had; 0: all, or none yet
	Waited     bool      `json:"waited,omitempty"` // it had none yet
	Mirror     int       `json:"mirror,omitempty"` // percent of the requests of which it got copies, while it had none of the traffic
	RetryToken string    `json:"retryToken,omitempty"`
	Reason     string    `json:"reason"`       // one line
	By         string    `json:"by,omitempty"` // who asked to go back; empty: nobody did
	At         time.Time `json:"at"`           // by the API server's clock
}

// LeftBy is what a main remembers where somebody takes the traffic, at such a time and
// without a configuration, to a release, or to what an adopted rule led to before, where
// to is empty: which release that leaves. It is what it did before where nothing is left,
// or only what waits, with nothing, for others of a group. why is in their words; empty
// where they say none.
func (m *Main) LeftBy(to, who, why string, at time.Time) *Breach {
	left, p := m.Deployment, m.Progress
	if p != nil {
		left = p.To
	}
	if left == "" || left == to {
		return m.Breach
	}
	b := &Breach{From: to, To: left, At: at.UTC().Truncate(time.Second)}
	if p != nil && to == "" {
		b.Theirs = p.Theirs
	}
	if p != nil && m.Deployment != left {
		weight := p.Weight(p.At)
		b.Share, b.Mirror = weight%100, p.Mirror(p.At)
		b.Waited = weight == 0 && b.Mirror == 0
		if b.Waited && p.Holds() {
			return m.Breach
		}
	}
	if m.Asked != nil && m.Asked.RetryToken != nil {
		b.RetryToken = *m.Asked.RetryToken
	}
	return b.Asked(who).Because(why)
}

// Asked is b where somebody has asked to go back.
func (b *Breach) Asked(who string) *Breach {
	asked := *b
	asked.By = cmp.Or(who, "somebody")
	asked.Reason = AskedBack(asked.By, "")
	return &asked
}

// Because is b with why somebody has asked to go back, where that is known.
func (b *Breach) Because(why string) *Breach {
	if b == nil || b.By == "" || why == "" {
		return b
	}
	asked := *b
	asked.Reason = AskedBack(b.By, why)
	return &asked
}

// AskedBack says that somebody has asked to go back, and why, where that is known.
func AskedBack(who, why string) string {
	text := who + " asked to go back"
	if why != "" {
		text += ": " + oneLine(why, reasonLimit)
	}
	return text
}

// Refuses says that a promotion would only do again what has failed: it is of
// the same release, and nobody has said to try once more. No token says nothing:
// who tried with one, and lets go of it, does not try again.
func (b *Breach) Refuses(to, retryToken string) bool {
	return b != nil && b.To == to && (retryToken == "" || b.RetryToken == retryToken)
}

// Refused is what main remembers of a release that somebody has asked to go back from, where
// that is refused. now is who has the traffic: nothing is refused of it, nor of what is
// tried once more.
func (m *Main) Refused(now string) *Breach {
	b := m.Breach
	if b == nil || b.By == "" || b.To == now || m.Progress != nil && m.Progress.To == b.To {
		return nil
	}
	return b
}

// Passed is what is left to remember once another promotion has succeeded:
// nothing, unless that only brought the traffic back to where it was before.
func (b *Breach) Passed(to string) *Breach {
	if b != nil && b.To != to && b.From == to {
		return b
	}
	return nil
}

// BreachKey is the key, in an application's ConfigMap, of what is remembered of a release
// that was the first behind an adopted rule, where nothing is main any more. Providers that
// do not know it try that release again.
const BreachKey = "breach.json"

// WithBreach is an application's ConfigMap data, of which nothing is main, with what is
// remembered of a release; nil drops that.
func WithBreach(data map[string]string, b *Breach) map[string]string {
	next := maps.Clone(data)
	delete(next, BreachKey)
	if text, err := json.Marshal(b); b != nil && err == nil {
		next[BreachKey] = string(text)
	}
	return next
}

// BreachIn is what WithBreach has written. Where something is main, that remembers it; what
// cannot be read refuses nothing.
func BreachIn(data map[string]string) *Breach {
	text, ok := data[BreachKey]
	if _, isMain := data[MainKey]; !ok || isMain {
		return nil
	}
	b := new(Breach)
	if err := json.Unmarshal([]byte(text), b); err != nil || b.To == "" {
		return nil
	}
	return b
}

// AsBefore is what a promotion remembers of m while it can be taken back.
func (m *Main) AsBefore() *Main {
	return &Main{
		Schema: MainSchema, Deployment: m.Deployment, Previous: m.Previous, Left: m.Left, PromotedAt: m.PromotedAt,
		Service: m.Service, KeepCount: m.KeepCount, KeepTTL: m.KeepTTL, KeepState: m.KeepState, Drain: m.Drain,
		Asked: m.Asked, Move: m.Move, Breach: m.Breach, Route: m.Route, RouteBaseline: m.RouteBaseline, FirstShare: m.FirstShare,
	}
}

// Replacing is m as a promotion to another release begins with it: where one was cut
// off while it could still go back, what was main before that, and what was being
// tried. What has not passed its bake does not count as a former main, and takes the
// place of none: with keep_previous.count = 1, a cut-off bake of v2 and then v3 keep
// v1. tried is empty where nothing was cut off.
func (m Main) Replacing(to string) (was Main, tried string) {
	p := m.Progress
	if p == nil || p.Before == nil || p.To == to || m.Deployment != p.To {
		return m, ""
	}
	m.Deployment, m.Previous, m.Left, m.PromotedAt = p.Before.Deployment, p.Before.Previous, p.Before.Left, p.Before.PromotedAt
	return m, p.To
}

// TakenBackError says that a release is not made main, because it was and did
// not pass its bake.
type TakenBackError struct {
	Cluster string
	ID      ID
	Breach  Breach
}

func (e *TakenBackError) Error() string {
	back := "there was nothing to go back to"
	if whom := cmp.Or(e.Breach.From, e.Breach.Theirs); whom != "" {
		back = "traffic went back to " + whom
	}
	was, at := "was main already and did not pass its bake", e.Breach.At.Format(time.RFC3339)
	share := "all of the traffic already"
	switch {
	case e.Breach.Mirror > 0:
		share = CopiesText(e.Breach.Mirror) + " already"
	case e.Breach.Waited:
		share = "none of the traffic yet"
	case e.Breach.Share > 0:
		share = fmt.Sprintf("%d %% of the traffic already", e.Breach.Share)
	}
	switch {
	case e.Breach.By != "":
		return fmt.Sprintf("the deployment %s on cluster %q had %s, and %s; %s at %s", e.ID, e.Cluster, share, e.Breach.Reason, back, at)
	case e.Breach.Share > 0, e.Breach.Mirror > 0:
		was = fmt.Sprintf("had %s and did not do its work with it", share)
	}
	return fmt.Sprintf("the deployment %s on cluster %q %s; %s at %s: %s",
		e.ID, e.Cluster, was, back, at, e.Breach.Reason)
}

// NoWayBackError says why traffic stays with a release that did not pass its
// bake.
type NoWayBackError struct {
	Cluster string
	ID      ID     // the release that traffic stays with
	Shared  bool   // it has a share of the traffic, which it keeps
	Reason  string // why not to the one before, as the end of a sentence
}

func (e *NoWayBackError) Error() string {
	if e.Shared {
		return fmt.Sprintf("the traffic stays as it is shared with %s, because on cluster %q nothing could take all of it: %s", e.ID, e.Cluster, e.Reason)
	}
	return fmt.Sprintf("the traffic stays with %s on every cluster, because there is nothing to go back to on cluster %q: %s", e.ID, e.Cluster, e.Reason)
}
