package session

import (
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Intents are what the resources of this run are planned to do to each other.
// Terraform plans a main deployment after the deployment whose id it takes, so
// that one of the two finds the other's here, whichever comes second. What is
// planned elsewhere is found at apply.
type Intents struct {
	mu      sync.Mutex
	stopped map[string]bool            // ids of deployments
	mains   map[string]string          // id of a main deployment -> id of the deployment it points at
	pods    map[string]*corev1.PodSpec // by id of a deployment
	most    map[string]int32           // how many of these there may be, by id of a deployment

	alone  map[string]bool            // addresses of main deployments that stay
	groups map[string]map[string]bool // addresses of groups' members -> names of the groups
}

func newIntents() *Intents {
	return &Intents{stopped: map[string]bool{}, mains: map[string]string{}, pods: map[string]*corev1.PodSpec{}, most: map[string]int32{}, alone: map[string]bool{}, groups: map[string]map[string]bool{}}
}

// Stop notes whether a deployment is planned to be stopped, and returns the
// main deployment that is planned to point at it.
func (i *Intents) Stop(id string, stopped bool) (main string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.stopped, id)
	if !stopped {
		return ""
	}
	i.stopped[id] = true
	for main, to := range i.mains {
		if to == id {
			return main
		}
	}
	return ""
}

// Offer notes what the pods of a deployment are planned to be.
func (i *Intents) Offer(id string, pod *corev1.PodSpec) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.pods[id] = pod
}

// Pod is what those of a deployment are planned to be; nil where this run plans no
// change of it.
func (i *Intents) Pod(id string) *corev1.PodSpec {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.pods[id]
}

// Limit notes how many pods a deployment is planned to have at most; 0: that is not known.
func (i *Intents) Limit(id string, most int32) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.most[id] = most
}

// Most is how many pods a deployment is planned to have at most; 0: that is not known.
func (i *Intents) Most(id string) int32 {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.most[id]
}

// Point notes where a main deployment is planned to point, and says whether
// that deployment is planned to be stopped. An empty id is not known yet, or
// that it is planned to go.
func (i *Intents) Point(main, id string) (stopped bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.mains, main)
	if id == "" {
		return false
	}
	i.mains[main] = id
	return i.stopped[id]
}

// Stand notes whether a main deployment is planned to be there, and returns a
// group that is planned to have one of its addresses.
func (i *Intents) Stand(addresses []string, stands bool) (group string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, at := range addresses {
		i.alone[at] = stands
		for other := range i.groups[at] {
			if stands {
				group = other
			}
		}
	}
	return group
}

// Join notes whether a group is planned to have addresses, and says whether a
// main deployment, or another group, is planned to have one of them, too.
func (i *Intents) Join(addresses []string, group string, joins bool) (taken bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, at := range addresses {
		if i.groups[at] == nil {
			i.groups[at] = map[string]bool{}
		}
		if delete(i.groups[at], group); joins {
			i.groups[at][group] = true
			taken = taken || i.alone[at] || len(i.groups[at]) > 1
		}
	}
	return taken
}

// TwoHoldersSummary is for an address that two resources of a configuration move.
const TwoHoldersSummary = "Application has two holders"

// TwoHolders says which.
func TwoHolders(main, group string) string {
	return fmt.Sprintf("The address of %s is a member of the group %q, and a switchback_main_deployment or another group has it in this configuration, too. "+
		"One of them moves it: remove it from the other. The guide \"Groups and waves\" says how an address changes hands while it serves.", main, group)
}

// StoppedMainSummary is for a deployment that is to be stopped and to be main.
const StoppedMainSummary = "Main deployment would be stopped"

// StoppedMain says which.
func StoppedMain(id, main string) string {
	return fmt.Sprintf("The deployment %s has desired_state = %q, and the main deployment %s points at it: its address would lead nowhere. "+
		"Set desired_state = %q, or let the main deployment point at another one first, in an apply of its own. To stop the application as a whole, set desired_state on the main deployment instead.", id, release.DesiredStopped, main, release.DesiredStarted)
}
