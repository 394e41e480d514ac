package release

import (
	"slices"
	"time"
)

// MainKey is the key of the JSON in an application's ConfigMap.
const MainKey = "main.json"

// DefaultDrain is how long both sides keep running after a verified switch
// before anything of the old one stops. On one real node, the last new
// connection was opened to the old side at most 0.13 s after the Service was
// written, and a drain of 1 s lost nothing (test/e2e). The rest is for proxies
// of many nodes, which follow within seconds, and for clients that keep a
// connection: the longer both sides run, the more of them have left by
// themselves.
const DefaultDrain = 10 * time.Second

// Main is what must be remembered of an application on one cluster: which
// release its own address points at, which ones did before, and how far a
// promotion came. It lives in the ConfigMap <application>-switchback. The
// address itself (a Service's selector) is the truth about traffic; this says
// whose it is and what is unfinished.
type Main struct {
	Schema int    `json:"schema"`
	Owner  string `json:"owner,omitempty"` // token; empty: released by one half of a replacement
	// ClaimedAt is since when it has been held by Owner, by the API server's clock.
	ClaimedAt time.Time `json:"claimedAt,omitzero"`
	// Group names the group that moves the address with others, and Member is what
	// the group calls it. Both are empty where it has a main deployment of its own.
	Group  string `json:"group,omitempty"`
	Member string `json:"member,omitempty"`

	Deployment string   `json:"deployment"`         // release that is main
	Previous   []string `json:"previous,omitempty"` // mains before it, newest first
	Service    string   `json:"service"`            // the main address
	// Route is the route that leads to the application's releases; nil: there is none.
	Route *Route `json:"route,omitempty"`
	// RouteBaseline is that of the route, as in Record.
	RouteBaseline map[string]string `json:"routeBaseline,omitempty"`
	// Leaves are former routes of the address that a promotion, which went back, had still to
	// remove: the next one does.
	Leaves Routes `json:"leaves,omitempty"`
	// Adopted is set where the main address is somebody else's Service.
	Adopted *Adoption `json:"adopted,omitempty"`

	// Move is the move of its group that made Deployment main: see MoveOf. Empty where
	// it was moved by itself.
	Move string `json:"move,omitempty"`

	// Left is since when each of Previous has not been main, by the API server's
	// clock. One that is missing was written by a provider that did not note it.
	Left map[string]time.Time `json:"left,omitempty"`

	// Spared are former mains that are kept beyond KeepCount until the next
	// promotion: somebody had moved the traffic away from them meanwhile.
	Spared []string `json:"spared,omitempty"`

	// State is whether the application shall have pods; empty: started.
	State DesiredState `json:"state,omitempty"`

	// StoppedBy is who has stopped it without a configuration: what asks for no stop leaves
	// it so. Nil: a configuration has, or it has pods.
	StoppedBy *Hold `json:"stoppedBy,omitempty"`

	KeepCount int           `json:"keepCount"`
	KeepTTL   time.Duration `json:"keepTTL,omitempty"`   // 0: for ever
	KeepState DesiredState  `json:"keepState,omitempty"` // empty: started
	Drain     time.Duration `json:"drain"`

	// FirstShare is the first share of the traffic that a new release gets, for which alone
	// its pods are started; nil: all of them are.
	FirstShare *CanaryStep `json:"firstShare,omitempty"`

	// Asked is what the configuration says beside that, for an import.
	Asked *Asked `json:"asked,omitempty"`

	// Baseline is that of the main address, as in Record.
	Baseline map[string]string `json:"baseline,omitempty"`
	// Protocols are those of the address's ports that are not TCP, by their names: they
	// follow the release's.
	Protocols map[string]string `json:"protocols,omitempty"`

	DNS *DNSWritten `json:"dns,omitempty"` // nil: the application has no name of its own

	PromotedAt time.Time `json:"promotedAt,omitzero"`
	Progress   *Progress `json:"-"`                // of a promotion that is not over; it has its own key
	Breach     *Breach   `json:"breach,omitempty"` // the last release that did not pass its bake
}

// MainStatus is where a promotion is, as users see it. What each one means and
// allows is in the table in main_lifecycle.go.
type MainStatus string

// Every status of a main deployment.
const (
	MainAwaitingApproval MainStatus = "awaiting_approval"
	MainApprovalDenied   MainStatus = "approval_denied"
	MainWaiting          MainStatus = "waiting_for_instances"
	MainRunning          MainStatus = "running"
	MainPaused           MainStatus = "paused"
	MainFinalizing       MainStatus = "finalizing"
	MainFinalized        MainStatus = "finalized"
	MainCancelling       MainStatus = "cancelling"
	MainCancelled        MainStatus = "cancelled"
	MainRollingBack      MainStatus = "rolling_back"
	MainRolledBack       MainStatus = "rolled_back"
	MainFailed           MainStatus = "failed"
)

// historyLimit bounds Previous: no keep_previous.count can exceed it.
const historyLimit = 20

// Names says whether the application's pointer names the release: as main, or
// on either side of a switch that may still go back. While a promotion finalizes
// and its bake is over, the traffic has left the old side for good, which may be
// what it has to collect. Nor does one that goes back name what the traffic has left.
func (m *Main) Names(name string) bool {
	p := m.Progress
	return m.Deployment == name || p != nil && (p.To == name && !p.Returned || p.From == name && p.Open())
}

// Stopped says that the application is: its address stays, and none of its releases
// has pods.
func (m *Main) Stopped() bool { return m != nil && m.State == DesiredStopped }

// StaysStopped is who has stopped the application without a configuration; nil: nobody.
func (m *Main) StaysStopped() *Hold {
	if !m.Stopped() {
		return nil
	}
	return m.StoppedBy
}

// StillLeaves are the former routes of the address that are still to go.
func (m *Main) StillLeaves() Routes {
	if m.Progress != nil {
		return slices.Clone(m.Progress.Leaves)
	}
	return slices.Clone(m.Leaves)
}

// Promoted is m after its address has moved to name.
func (m Main) Promoted(name string) Main {
	if m.Deployment == name {
		return m
	}
	previous := slices.DeleteFunc(slices.Clone(m.Previous), func(n string) bool { return n == name || n == m.Deployment })
	if m.Deployment != "" {
		previous = slices.Insert(previous, 0, m.Deployment)
	}
	if len(previous) > historyLimit {
		previous = previous[:historyLimit]
	}
	m.Deployment, m.Previous = name, previous
	return m
}

// MainOf is ParseMain for a ConfigMap that may hold no more than a history, and what is
// remembered of a release that was taken back: nil where the application has no address.
func MainOf(data map[string]string) (*Main, error) {
	_, hasMain := data[MainKey]
	_, hasHistory := data[HistoryKey]
	_, hasBreach := data[BreachKey]
	if !hasMain && (hasHistory || hasBreach) {
		return nil, nil
	}
	return ParseMain(data)
}
