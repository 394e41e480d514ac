package release

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Strategy is what a change of a release's content does.
type Strategy string

// Strategies.
const (
	StrategyBlueGreen Strategy = "blue_green" // another release beside it
	StrategyRolling   Strategy = "rolling"    // in place, a few pods at a time
	StrategyRecreate  Strategy = "recreate"   // in place, all pods at once: the old ones end first
)

// Strategies lists every Strategy; validators, docs and tests use it.
func Strategies() []Strategy { return []Strategy{StrategyBlueGreen, StrategyRolling, StrategyRecreate} }

// InPlace says that the content changes under one name. Empty is blue-green.
func (s Strategy) InPlace() bool { return s == StrategyRolling || s == StrategyRecreate }

// Rolling is how pods are replaced a few at a time. What is empty takes its default.
type Rolling struct {
	MaxSurge       string `json:"maxSurge,omitempty"`       // pods above the number asked for: a number, or percent of it
	MaxUnavailable string `json:"maxUnavailable,omitempty"` // pods that may be missing

	PauseAt []RollStop `json:"pauseAt,omitempty"` // where it stops, in the order in which the shares grow
}

// IsZero says that nothing is said of it.
func (r Rolling) IsZero() bool {
	return r.MaxSurge == "" && r.MaxUnavailable == "" && len(r.PauseAt) == 0
}

// Pauses is how long its pauses take together.
func (r Rolling) Pauses() (sum time.Duration) {
	for _, stop := range r.PauseAt {
		sum += stop.Pause
	}
	return sum
}

// What is true of a rolling update that says nothing else: never fewer ready
// pods than asked for. More for a moment cost less than requests that the rest
// cannot take.
const (
	DefaultMaxSurge       = "25%"
	DefaultMaxUnavailable = "0"
)

// inPlaceSchema is part of what names a release whose content changes in place.
const inPlaceSchema = "switchback-in-place/1"

// Name is the release's name. All its objects carry it. It is that of its
// content, unless the content changes in place: then it is one name for good,
// which is found again whatever runs under it.
func (s Spec) Name() string { return s.NameFor(s.Content.Hash()) }

// NameFor is Name for a release with this full content hash.
func (s Spec) NameFor(hash string) string {
	if s.Strategy.InPlace() {
		hash = inPlaceHash(s.Content.Application)
	}
	return NameOf(s.Content.Application, hash)
}

// InPlaceName is the one name of an application's release whose content changes in place.
func InPlaceName(application string) string { return NameOf(application, inPlaceHash(application)) }

// inPlaceHash does not tell rolling from recreate: one becomes the other in place.
func inPlaceHash(application string) string {
	sum := sha256.Sum256([]byte(inPlaceSchema + "\n" + application))
	return hex.EncodeToString(sum[:])
}

// NamedInPlace says that a release of this name changes its content in place.
func NamedInPlace(name string) bool {
	application, ok := ApplicationOf(name)
	return ok && name == InPlaceName(application)
}
