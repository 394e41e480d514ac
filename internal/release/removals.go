package release

import (
	"fmt"
	"time"
)

// Removals says which of an application's releases the next promotion would
// remove, and why: as of now, if a release that is none of these became main.
// main is nil where the application has no address.
func Removals(main *Main, records map[string]*Record, now time.Time) map[string]string {
	next := Main{}
	if main != nil {
		next = main.Promoted("").Noted(now) // whatever comes has another name
		next.Progress = nil
	}
	why := map[string]string{}
	for _, name := range Collect(next, records, now).Remove {
		reason := removalOf(records[name], next.KeepCount)
		if ends, ok := next.Expires(name); ok && !now.Before(ends) && records[name].Custody == CustodyRetained {
			reason = "the time for which former main deployments are kept (keep_previous.ttl) has ended"
		}
		if reason != "" {
			why[name] = reason
		}
	}
	return why
}

func removalOf(r *Record, keep int) string {
	switch r.Custody {
	case CustodyRetained:
		return fmt.Sprintf("it will not be among the %d former main deployments that are kept (keep_previous)", keep)
	case CustodyCondemned:
		return "its Terraform resource is gone, and the traffic will have moved away"
	case CustodyAbandoned:
		return "its create failed, and it is in nobody's state"
	case CustodyTerminating:
		return "its removal was not finished"
	case CustodyClaimed:
		return "its create is not finished: it is removed if the process that works on it has died"
	case CustodyOwned:
	}
	return ""
}
