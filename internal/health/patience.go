package health

import (
	"slices"
	"time"
)

// Place is where something is wrong: a container of one object, or the object
// itself.
type Place struct {
	Object, Container string

	// Patience is how long it must last there at least, however short the grace is: a
	// finding's own.
	Patience time.Duration
}

// certainPlaces are where waiting does not help, before findings of several pods
// become one.
func certainPlaces(found []Finding) []Place {
	var places []Place
	for _, f := range found {
		f = plainer(f, found)
		if p := (Place{f.Object, f.Container, f.Patience}); f.Class == Certain && !slices.Contains(places, p) {
			places = append(places, p)
		}
	}
	return places
}

// Patience tells a failure from a moment's trouble: what is certain must have been
// so for a grace, without a break, at one place; for longer where its finding asks for
// that. What it is called may change
// meanwhile: a kubelet says ErrImagePull and ImagePullBackOff in turn, and a
// registry words its refusal anew each time. The zero value begins with the first
// Judge.
type Patience struct {
	Most time.Duration // that a place may ask for; 0: as it says

	since map[Place]time.Time
}

// Judge says whether a verdict ends the wait: at once where something has
// repeated itself, and once something has been certain for its time. left is
// after how long to ask again, as long as nothing changes; 0 where only a change
// can tell.
func (p *Patience) Judge(v Verdict, grace time.Duration, now time.Time) (over bool, left time.Duration) {
	since := map[Place]time.Time{}
	for _, at := range v.Certain {
		began, known := p.since[at]
		if !known {
			began = now
		}
		since[at] = began
		own := at.Patience
		if p.Most > 0 {
			own = min(own, p.Most)
		}
		rest := max(grace, own) - now.Sub(began)
		if left == 0 || rest < left {
			left = rest
		}
		over = over || rest <= 0
	}
	p.since = since
	repeated := v.State == Failed && slices.ContainsFunc(v.Findings, func(f Finding) bool { return f.Class == Repeated })
	if over || repeated {
		return true, 0
	}
	return false, left
}
