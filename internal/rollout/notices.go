package rollout

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
)

// Every notice of the engine, one function each.

// adoptedOwned says who else may have it: back says that it is what the last
// promotion went back to, so that it is what the same state still has.
func adoptedOwned(c Cluster, id release.ID, back bool) Notice {
	if back {
		return Notice{
			Summary: "Deployment goes on as it was",
			Detail: fmt.Sprintf("%s on cluster %q has the traffic since the last promotion went back to it. It is held by this resource now, and by nothing else. "+
				"Where the plan destroys a deposed object of it, that only forgets what the promotion has left in the state.", id, c.Name()),
		}
	}
	return Notice{
		Summary: "Existing deployment adopted",
		Detail: fmt.Sprintf("%s on cluster %q was already there and finished, and is now held by this resource. "+
			"Another Terraform state or resource that has it, too, can neither change nor remove it any more.", id, c.Name()),
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

// cancelled says what became of the pods: parked are those of what was starting,
// not of what was up before.
func cancelled(id release.ID, by *release.CancelledError, undone, parked bool) Notice {
	then := "What ran before runs on"
	switch {
	case undone:
		then = "Another warning says what could not be put in order"
	case parked:
		then = "Unless traffic leads to it, it has been asked to scale down and keeps status \"cancelled\""
	}
	how := "interrupted"
	if by != nil {
		how = fmt.Sprintf("cancelled on cluster %q by %s", by.Cluster, by.By)
	}
	return Notice{
		Summary: "Deployment cancelled",
		Detail:  fmt.Sprintf("The start of %s was %s. %s; the next apply resumes it in place.", id, how, then),
	}
}

// condemned says when it goes: with the main deployment, as long as there is one.
func condemned(c Cluster, id release.ID, main *release.Main, why string) Notice {
	until := "It keeps running until it is asked for again, which takes it up as it is, or until the main deployment has moved to another one or is destroyed, and is removed then if nothing else leads to it."
	if main == nil || main.Deployment == "" {
		until = fmt.Sprintf("There is no main deployment of its application that would remove it later: it keeps running. When nothing leads to it any more, remove it:\n  kubectl --namespace %s delete %s",
			id.Namespace, ByHand(id.Name))
	}
	return Notice{
		Summary: "Deployment still carries traffic and was left running",
		Detail:  fmt.Sprintf("%s on cluster %q is gone from the Terraform state, but %s. %s", id, c.Name(), why, until),
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

func tookMainOver(c Cluster, id string, main release.Main, group string) Notice {
	from := ""
	if main.Group != "" && main.Group != group {
		from = fmt.Sprintf(", and belonged to the group %q. If that group is still in a Terraform state, take it out of there", main.Group)
	}
	return Notice{
		Summary: "Existing main deployment taken over",
		Detail:  fmt.Sprintf("The application %s on cluster %q already had its address, pointing at %s%s. It is now held by this resource; traffic was not touched by that.", id, c.Name(), main.Deployment, from),
	}
}

func notCollected(c Cluster, name, why string) Notice {
	return Notice{
		Summary: "An old deployment was left running",
		Detail:  fmt.Sprintf("%s on cluster %q is no longer needed, but %s. The next promotion looks again.", name, c.Name(), why),
	}
}

func notHandedBack(c Cluster, svc *corev1.Service, application, why string) Notice {
	left := svc.Spec.Selector[release.LabelDeployment]
	return Notice{
		Summary: "Adopted Service was not handed back",
		Detail: fmt.Sprintf("The Service %s/%s on cluster %q still selects %s, because %s: handing it back would have been an outage. "+
			"So %s keeps running. Switchback manages nothing of the Service any more.\n\n"+
			"Either start pods that the Service selected before, then apply this configuration once more and destroy it. "+
			"Or set the Service's spec.selector yourself, and when it serves, remove what is left:\n"+
			"  kubectl -n %s delete deployment,service,configmap,lease -l %s=%s",
			svc.Namespace, svc.Name, c.Name(), left, why, left, svc.Namespace, release.LabelApplication, application),
	}
}

func mayBeRewritten(c Cluster, svc *corev1.Service, writer string) Notice {
	return Notice{
		Summary: "Adopted Service may be written by somebody else",
		Detail: fmt.Sprintf("The Service %s/%s on cluster %q comes from %s. Where that still applies it, it will add its own labels to the selector, or remove the selector, and the Service then selects no pod at all. "+
			"Take the Service out of there, before anybody applies it again: the guide \"Moving an existing Deployment in\" says how.",
			svc.Namespace, svc.Name, c.Name(), writer),
	}
}

func notStopped(c Cluster, name, why string) Notice {
	return Notice{
		Summary: "A retained deployment was not stopped",
		Detail:  fmt.Sprintf("keep_previous.state asks for %s on cluster %q to be without pods, but %s. The next promotion looks again.", name, c.Name(), why),
	}
}

func notStarted(c Cluster, name, why string) Notice {
	return Notice{
		Summary: "A retained deployment does not run",
		Detail:  fmt.Sprintf("keep_previous.state asks for %s on cluster %q to run, but it did not start: %s. Going back to it would be a cold start, if it starts then. The next promotion tries again.", name, c.Name(), why),
	}
}
