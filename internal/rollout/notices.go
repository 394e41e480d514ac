package rollout

import (
	"fmt"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Every notice of the engine, one function each.

func adoptedOwned(c Cluster, id release.ID) Notice {
	return Notice{
		Summary: "Existing deployment adopted",
		Detail: fmt.Sprintf("%s on cluster %q was already there and finished, possibly in another Terraform state, and is now held by this one. "+
			"The other state's next change of it will be refused, and its destroy will leave it alone.", id, c.Name()),
	}
}

func tookFieldsOver(c Cluster, id release.ID, conflicts []release.FieldConflict) Notice {
	fields := ""
	for _, f := range conflicts {
		fields += "\n  " + f.Field + ": " + f.Detail
	}
	return Notice{
		Summary: "Fields taken back",
		Detail:  fmt.Sprintf("When %s on cluster %q was adopted, these fields had other managers and were set back to what the configuration says:%s", id, c.Name(), fields),
	}
}

func cancelled(id release.ID, by *release.CancelledError) Notice {
	how := "interrupted"
	if by != nil {
		how = fmt.Sprintf("cancelled on cluster %q by %s", by.Cluster, by.By)
	}
	return Notice{
		Summary: "Deployment cancelled",
		Detail:  fmt.Sprintf("The start of %s was %s. It has been asked to scale down and keeps status \"cancelled\"; the next apply resumes it in place.", id, how),
	}
}

func condemned(c Cluster, id release.ID, why string) Notice {
	return Notice{
		Summary: "Deployment still carries traffic and was left running",
		Detail:  fmt.Sprintf("%s on cluster %q is gone from the Terraform state, but %s. It keeps running until the main deployment has moved to another one or is destroyed, and is removed then.", id, c.Name(), why),
		Routine: true,
	}
}

func staleDelete(c Cluster, id string) Notice {
	return Notice{
		Summary: "Nothing was deleted",
		Detail:  fmt.Sprintf("%s on cluster %q has been claimed by another Terraform state or resource since this state was written, so it was left alone.", id, c.Name()),
		Routine: true,
	}
}

func tookMainOver(c Cluster, id string, deployment string) Notice {
	return Notice{
		Summary: "Existing main deployment taken over",
		Detail:  fmt.Sprintf("The application %s on cluster %q already had its address, pointing at %s. It is now held by this resource; traffic was not touched by that.", id, c.Name(), deployment),
	}
}

func notCollected(c Cluster, name, why string) Notice {
	return Notice{
		Summary: "An old deployment was left running",
		Detail:  fmt.Sprintf("%s on cluster %q is no longer needed, but %s. The next promotion looks again.", name, c.Name(), why),
	}
}
