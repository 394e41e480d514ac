package workload

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

var podLimit = regexp.MustCompile(`^[0-9]{1,9}%?$`)

func checkStrategy(r *report, spec release.Spec) {
	if spec.Strategy != "" && !slices.Contains(release.Strategies(), spec.Strategy) {
		r.add(path{"strategy"}, "Unknown strategy", "There is no strategy %q. Use blue_green (the default), rolling or recreate.", spec.Strategy)
		return
	}
	if spec.Strategy != release.StrategyRolling {
		if !spec.Rolling.IsZero() {
			r.add(path{"rolling_update"}, "rolling_update without a rolling update",
				"rolling_update says how pods are replaced a few at a time, but the strategy is %q. Set strategy = %q, or remove rolling_update.", orBlueGreen(spec.Strategy), release.StrategyRolling)
		}
		return
	}
	checkRolling(r, path{"rolling_update"}, spec.Rolling)
}

func orBlueGreen(s release.Strategy) release.Strategy {
	if s == "" {
		return release.StrategyBlueGreen
	}
	return s
}

func checkRolling(r *report, at path, rolling release.Rolling) {
	checkPauseAt(r, at.to("pause_at"), rolling.PauseAt)
	surge, ok1 := checkPodLimit(r, at.to("max_surge"), rolling.MaxSurge, release.DefaultMaxSurge)
	unavailable, ok2 := checkPodLimit(r, at.to("max_unavailable"), rolling.MaxUnavailable, release.DefaultMaxUnavailable)
	switch {
	case ok2 && strings.HasSuffix(rolling.MaxUnavailable, "%") && unavailable > 100:
		r.add(at.to("max_unavailable"), "Invalid number of pods", "max_unavailable is %q, but no more than all pods (100%%) can be missing. Use a smaller one.", rolling.MaxUnavailable)
	case ok1 && ok2 && surge == 0 && unavailable == 0:
		where := at.to("max_surge")
		if rolling.MaxSurge == "" {
			where = at.to("max_unavailable")
		}
		r.add(where, "Rolling update cannot begin",
			"max_surge and max_unavailable are both 0: there may be neither a pod more nor a pod less, so that none could be replaced. Leave one of them above 0; max_surge costs no capacity.")
	}
}

// checkPauseAt says which stops cannot be meant. What is missing, or no percentage, is
// refused by itself.
func checkPauseAt(r *report, at path, stops []release.RollStop) {
	before := 0
	for i, stop := range stops {
		switch {
		case stop.Percent < 1 || stop.Percent > 99:
		case stop.Percent <= before:
			r.add(at.to(i, "percent"), "Shares do not grow", "%d %% follows %d %%. Each stop must have more new pods than the one before: use a higher percent, or another order.", stop.Percent, before)
		}
		before = max(before, stop.Percent)
	}
}

// checkPodLimit reads a number of pods, or percent of them.
func checkPodLimit(r *report, at path, text, fallback string) (number int, ok bool) {
	if text == "" {
		text = fallback
	}
	if !podLimit.MatchString(text) {
		r.add(at, "Invalid number of pods", "%q is neither a number of pods, such as 1, nor percent of them, such as \"25%%\". Use one of the two.", text)
		return 0, false
	}
	number, err := strconv.Atoi(strings.TrimSuffix(text, "%"))
	return number, err == nil
}

// StrategyAdvice is what a change of content costs with the spec's strategy.
func StrategyAdvice(spec release.Spec) []Problem {
	r := &report{}
	if spec.Strategy == release.StrategyRecreate {
		r.add(path{"strategy"}, "Every change of content is an outage",
			"With strategy = %q, all pods of the old content end before the first of the new one starts. While a main deployment points at it, its address leads nowhere until the new ones are ready. "+
				"Use %q, unless two versions must never run at the same time.", release.StrategyRecreate, release.StrategyRolling)
	}
	if stops := spec.Rolling.PauseAt; len(stops) > 0 {
		r.add(path{"rolling_update", "pause_at"}, "Change stops on its way", "%s", stopsText(spec))
	}
	return r.problems
}

// stopsText says where a change stops, and how long that takes.
func stopsText(spec release.Spec) string {
	var shares []string
	gated := false
	for _, stop := range spec.Rolling.PauseAt {
		shares = append(shares, fmt.Sprintf("%d %%", stop.Percent))
		gated = gated || stop.Gate != ""
	}
	text := "It stops at " + strings.Join(shares, ", ") + " of the pods. The new ones are watched there, and all go back to the former content if one of them fails."
	if pauses := spec.Rolling.Pauses(); pauses > 0 {
		text += fmt.Sprintf(" The pauses take %s in all.", release.DurationText(pauses))
	}
	if gated {
		text += " Somebody has to let it go on in between: until then, it is paused, and its plan is empty."
	}
	return text
}
