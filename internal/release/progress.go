package release

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// ProgressKey is the key, in an application's ConfigMap, of the JSON of a promotion
// that is not over.
const ProgressKey = "progress.json"

// Schemas of Progress's JSON form. The second one has shares of the traffic and pauses:
// who does not know those would take them for done. With the third, the release has only
// the pods that its share takes: others would give it all of the traffic on these. With the
// fourth, autoscalers have been raised: others would leave them so. With the fifth, somebody
// else has the rest of the traffic: others would take it for nobody's. The sixth has copies
// of requests: others would not end them. With the seventh, somebody holds the promotion where
// it is: others would go on.
const (
	ProgressSchema        = 1
	ProgressSchemaShares  = 2
	ProgressSchemaScales  = 3
	ProgressSchemaFloors  = 4
	ProgressSchemaTheirs  = 5
	ProgressSchemaMirrors = 6
	ProgressSchemaHolds   = 7
)

// StepKind is what a step of a promotion does.
type StepKind string

// The kinds of steps, in the order in which a promotion has them.
const (
	StepStart   StepKind = "start"   // the release gets the pods back that it had before its application was stopped
	StepRestore StepKind = "restore" // who had the traffic before has all of it again, and what was tried drains; or all of a route that is new
	StepReady   StepKind = "ready"   // the release can take the traffic
	StepShift   StepKind = "shift"   // so many percent of the traffic go to it
	StepPause   StepKind = "pause"   // it does its work with that share for a while, or until somebody lets it go on
	StepAnalyse StepKind = "analyse" // it does its work with that traffic for a while
	StepCommit  StepKind = "commit"  // from here on nothing goes back
	StepRename  StepKind = "rename"  // the address' former name drains, and goes
	StepStop    StepKind = "stop"    // the application's pods go; its address stays
	StepCollect StepKind = "collect" // what nobody needs any more drains, and goes
)

// StepKinds lists every StepKind.
func StepKinds() []StepKind {
	return []StepKind{StepStart, StepRestore, StepReady, StepShift, StepPause, StepAnalyse, StepCommit, StepRename, StepStop, StepCollect}
}

// Step is one of a promotion's steps.
type Step struct {
	Kind   StepKind      `json:"kind"`
	Weight int           `json:"weight,omitempty"` // percent, of a shift
	Mirror int           `json:"mirror,omitempty"` // percent of the requests of which a shift gives copies, and nothing else
	For    time.Duration `json:"for,omitempty"`    // of an analysis or a pause
	Gate   Gate          `json:"gate,omitempty"`   // who ends a pause; empty: time alone
	Needs  int           `json:"needs,omitempty"`  // ready pods for a shift; 0: its share of the other side's
}

// String is the step as people read it.
func (s Step) String() string {
	switch {
	case s.Mirror > 0:
		return fmt.Sprintf("mirror %d%%", s.Mirror)
	case s.Weight > 0:
		return fmt.Sprintf("%s %d%%", s.Kind, s.Weight)
	case s.Gate != "" && s.For > 0:
		return fmt.Sprintf("%s %s, %s", s.Kind, DurationText(s.For), s.Gate)
	case s.Gate != "":
		return fmt.Sprintf("%s %s", s.Kind, s.Gate)
	case s.For > 0:
		return fmt.Sprintf("%s %s", s.Kind, DurationText(s.For))
	default:
		return string(s.Kind)
	}
}

// Direction is where a promotion is going.
type Direction string

// Directions of a promotion.
const (
	DirectionForward Direction = "forward" // to what it is for
	DirectionBack    Direction = "back"    // to where the traffic was
	DirectionNone    Direction = "none"    // the traffic should go back, and nothing can take it
)

// Progress is how far a promotion on one cluster has come. It is written down before
// each step that changes something, so that a process that is killed at any instant
// leaves enough behind for the next one. For example: a run moved the traffic from
// web-1 to web-2, and died while it watched web-2. The next run finds At at the
// analysis and Before with web-1 in it. It watches web-2 again, or goes back.
type Progress struct {
	Schema int    `json:"schema"`
	From   string `json:"from,omitempty"` // who had the traffic; empty: nobody
	To     string `json:"to"`             // who is to have it
	Holder string `json:"holder,omitempty"`

	// Theirs is who has the rest of the traffic where that is no release: what an adopted
	// rule led to before, as a split names it. Empty: a release has it, or nobody.
	Theirs string `json:"theirs,omitempty"`

	Steps     []Step    `json:"steps"`
	At        int       `json:"at"` // the step that is being done
	Direction Direction `json:"direction"`

	// Made says that there was no address before this promotion: going back takes
	// it away. Renames is the address' former name, which goes at the end; empty
	// where it keeps its name.
	Made    bool   `json:"made,omitempty"`
	Renames string `json:"renames,omitempty"`

	// Leaves are former routes of the address, which go at the end: several where a run was
	// killed before it had removed one.
	Leaves Routes `json:"leaves,omitempty"`

	// Scales says that To has only the pods that its share of the traffic takes.
	Scales bool `json:"scales,omitempty"`

	// Floors are the releases whose autoscalers may go down to fewer pods again than they may
	// now, when the promotion is over: see AnnotationMinReplicas.
	Floors []string `json:"floors,omitempty"`

	// Paused says that the run has come to its end in a pause, which the next one goes on
	// with. Since is when the pause began, by the API server's clock; zero: it has not.
	Paused bool      `json:"paused,omitempty"`
	Since  time.Time `json:"since,omitzero"`

	// GivesUp is the release that has failed, or that somebody does not want: what its
	// OnFailure says is still to be done. Empty: of none.
	GivesUp string `json:"givesUp,omitempty"`

	// Returned says that the traffic is back at From, and that To has drained.
	Returned bool `json:"returned,omitempty"`

	// Held is who holds it where it is, whatever its pause is; nil: nobody does.
	Held *Hold `json:"held,omitempty"`

	// Before is main as it was, for as long as the promotion may be taken back after
	// the pointer has moved: until it is committed. Nil: not beyond the shift.
	Before *Main `json:"before,omitempty"`
}

// Side is who has the rest of a traffic that is shared, as a split names it: a release, or
// what an adopted rule led to before; empty: nobody.
func (p *Progress) Side() string { return cmp.Or(p.From, p.Theirs) }

// Step is the one that is being done; the zero Step after the last.
func (p *Progress) Step() Step {
	if p.At >= len(p.Steps) {
		return Step{}
	}
	return p.Steps[p.At]
}

// Weight is the percentage that the shifts before step at have given to the release.
func (p *Progress) Weight(at int) (percent int) {
	for _, step := range p.Steps[:min(at, len(p.Steps))] {
		if step.Kind == StepShift {
			percent = step.Weight
		}
	}
	return percent
}

// Beyond says that the step which is being done gives more of the traffic than a share,
// or comes after all of it has moved.
func (p *Progress) Beyond(percent int) bool {
	step := p.Step()
	return step.Kind.Reaches(StepAnalyse) || step.Kind == StepShift && step.Weight > percent || p.Weight(p.At) > percent
}

// Holds says that the run has come to its end in a pause that is for the other members
// of a group.
func (p *Progress) Holds() bool { return p.Paused && p.Step().Gate == GateGroup }

// Holding is the same promotion in such a pause, before the step that is being done.
func (p *Progress) Holding() Progress {
	held := *p
	held.Steps = slices.Insert(slices.Clone(p.Steps), p.At, Step{Kind: StepPause, Gate: GateGroup})
	held.Paused = true
	return held
}

// Watched says that such a run has watched the release with the share that it has: it
// came past the pause that follows the share.
func (p *Progress) Watched() bool {
	return p.Baked() || p.Holds() && p.At > 0 && p.Steps[p.At-1].Kind == StepPause
}

// Baked says that such a run has analysed the release with all of the traffic.
func (p *Progress) Baked() bool {
	return p.Holds() && p.At > 0 && p.Steps[p.At-1].Kind == StepAnalyse
}

// Next is the percentage that the next shift gives to the release, or the one that is
// being done; 100 where none follows. Copies of requests are no share.
func (p *Progress) Next() int {
	for _, step := range p.Steps[min(p.At, len(p.Steps)):] {
		if step.Kind == StepShift && step.Mirror == 0 {
			return step.Weight
		}
	}
	return 100
}

// shares says that the traffic is shared for a while.
func (p *Progress) shares() bool {
	return len(p.Leaves) > 0 || slices.ContainsFunc(p.Steps, func(s Step) bool {
		return s.Kind == StepPause || s.Kind == StepRestore || s.Kind == StepShift && s.Weight < 100
	})
}

// mirrors says that the release gets copies of requests for a while.
func (p *Progress) mirrors() bool {
	return slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Mirror > 0 })
}

// Until is the number of steps up to the last one of a kind; 0 where there is none.
func (p *Progress) Until(kind StepKind) int {
	for i, step := range slices.Backward(p.Steps) {
		if step.Kind == kind {
			return i + 1
		}
	}
	return 0
}

// Shifted says that all of the traffic has been moved.
func (p *Progress) Shifted() bool { return p.At >= p.Until(StepShift) }

// Open says that the promotion may still go back: From is not let go of.
func (p *Progress) Open() bool {
	return p.Direction != DirectionForward || !p.Shifted() || p.Before != nil
}

// GoesBack says that the traffic is on its way back to From: by the run that moved it, or by
// somebody who asked for it.
func (p *Progress) GoesBack() bool {
	return p.Direction == DirectionBack || p.From == p.To && p.GivesUp != ""
}

// Status is what users see of a promotion that is not over.
func (p *Progress) Status() MainStatus {
	switch {
	case p.Direction == DirectionBack:
		return MainRollingBack
	case p.Direction == DirectionNone:
		return MainFailed
	case p.Paused:
		return MainPaused
	case p.Shifted():
		return MainFinalizing
	}
	return MainRunning
}

// checkpoint is what providers before schema 2 of main.json wrote in place of a
// Progress.
type checkpoint struct {
	From       string     `json:"from"`
	To         string     `json:"to"`
	Step       MainStatus `json:"step"` // running, rolling_back, finalizing or failed
	Holder     string     `json:"holder"`
	OldService string     `json:"oldService"`
	Made       bool       `json:"made"`
	Before     *Main      `json:"before"`
}

// progress is the same promotion, as its steps. How long its analysis was is not
// known: whoever goes on with it says how long the next one is.
func (c *checkpoint) progress() *Progress {
	p := &Progress{
		Schema: ProgressSchema, From: c.From, To: c.To, Holder: c.Holder, Made: c.Made, Renames: c.OldService, Before: c.Before,
		Steps: []Step{{Kind: StepReady}, {Kind: StepShift, Weight: 100}},
	}
	if c.Before != nil {
		p.Steps = append(p.Steps, Step{Kind: StepCommit})
	}
	p.Steps = append(p.Steps, Step{Kind: StepRename}, Step{Kind: StepCollect})
	p.Direction = cmp.Or(map[MainStatus]Direction{MainRollingBack: DirectionBack, MainFailed: DirectionNone}[c.Step], DirectionForward)
	if p.At = p.Until(StepShift); c.Step == MainRunning {
		p.At--
	}
	return p
}

// Schemas of main.json. While a promotion is open, it is one that providers refuse
// which know no Progress: they could not go on with it.
const (
	MainSchema     = 1
	MainSchemaOpen = 2
)

// Marshal gives the ConfigMap's data: of a promotion that is not over, too.
func (m *Main) Marshal() (map[string]string, error) {
	written := *m
	if written.Schema = MainSchema; m.Progress != nil {
		written.Schema = MainSchemaOpen
	}
	data, err := marshal(MainKey, &written)
	if err != nil || m.Progress == nil {
		return data, err
	}
	progress := *m.Progress
	switch progress.Schema = ProgressSchema; {
	case progress.Held != nil:
		progress.Schema = ProgressSchemaHolds
	case progress.mirrors():
		progress.Schema = ProgressSchemaMirrors
	case progress.Theirs != "", len(progress.Leaves) > 1:
		progress.Schema = ProgressSchemaTheirs
	case len(progress.Floors) > 0:
		progress.Schema = ProgressSchemaFloors
	case progress.Scales:
		progress.Schema = ProgressSchemaScales
	case progress.shares():
		progress.Schema = ProgressSchemaShares
	}
	open, err := marshal(ProgressKey, &progress)
	if err != nil {
		return nil, err
	}
	data[ProgressKey] = open[ProgressKey]
	return data, nil
}

// ParseMain reads an application's ConfigMap data.
func ParseMain(data map[string]string) (*Main, error) {
	m, err := parse(MainKey, data, MainSchemaOpen, func(m *Main) int { return m.Schema })
	switch {
	case err != nil:
		return nil, err
	case m.Schema < MainSchemaOpen:
		err = m.convert(data[MainKey])
		return m, err
	}
	m.Progress, err = parse(ProgressKey, data, ProgressSchemaHolds, func(p *Progress) int { return p.Schema })
	if err == nil && (m.Progress.At < 0 || m.Progress.At > len(m.Progress.Steps)) {
		err = fmt.Errorf("its %s says that step %d of %d is being done", ProgressKey, m.Progress.At+1, len(m.Progress.Steps))
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// convert takes over a promotion that a provider of schema 1 has left open.
func (m *Main) convert(text string) error {
	var before struct {
		Checkpoint *checkpoint `json:"checkpoint"`
	}
	if err := json.Unmarshal([]byte(text), &before); err != nil {
		return fmt.Errorf("its %s cannot be read: %w", MainKey, err)
	}
	if before.Checkpoint != nil {
		m.Progress = before.Checkpoint.progress()
	}
	return nil
}

// PointerIn is what an application's ConfigMap says of its address and of a promotion
// that is not over, as text. Who writes to the history leaves it as it is.
func PointerIn(data map[string]string) string {
	return data[MainKey] + data[ProgressKey] + data[BreachKey]
}

// WithPointer is an application's ConfigMap data with what is said of its address, and
// of a promotion that is not over; an empty pointer drops it. Where no promotion is
// open, nobody can be asked for anything about it.
func WithPointer(data, pointer map[string]string) map[string]string {
	next := maps.Clone(data)
	if next == nil {
		next = map[string]string{}
	}
	delete(next, MainKey)
	delete(next, ProgressKey)
	delete(next, BreachKey)
	maps.Copy(next, pointer)
	if next[ProgressKey] == "" {
		delete(next, RequestKey)
	}
	return next
}

// Reaches says that a step of this kind does not come before one of another.
func (k StepKind) Reaches(until StepKind) bool {
	kinds := StepKinds()
	return until != "" && slices.Index(kinds, k) >= slices.Index(kinds, until)
}
