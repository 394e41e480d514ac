package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// Every notice of the engine, one function each.

// adoptedOwned says who else may have it: back says that it is what the last
// promotion went back to, so that it is what the same state still has.
func adoptedOwned(c Cluster, id release.ID, back bool) Notice {
	if back {
		return Notice{
			Summary: GoesOnSummary,
			Detail:  fmt.Sprintf("%s It is held by this resource now, and by nothing else. %s", hasItBack(c.Name(), id), forgetsOnly),
		}
	}
	return Notice{
		Summary: "Existing deployment adopted",
		Detail: fmt.Sprintf("%s on cluster %q was already there and finished, and is now held by this resource. "+
			"Another Terraform state or resource that has it, too, can neither change nor remove it any more.", id, c.Name()),
	}
}

// GoesOnSummary and GoesOnDetail say, at plan and at apply, that what a promotion went
// back to stays, although the plan destroys a deposed object of it.
const GoesOnSummary = "Deployment goes on as it was"

// GoesOnDetail is the rest of it, at plan.
func GoesOnDetail(cluster string, id release.ID) string {
	return fmt.Sprintf("%s The apply takes it up, and neither stops nor removes it. %s", hasItBack(cluster, id), forgetsOnly)
}

func hasItBack(cluster string, id release.ID) string {
	return fmt.Sprintf("%s on cluster %q is what the last promotion went back to, or did not come to replace.", id, cluster)
}

const forgetsOnly = "Where the plan destroys a deposed object of it, that only forgets what a replacement that did not succeed has left in the state."

func tookFieldsOver(c Cluster, id release.ID, conflicts []release.FieldConflict) Notice {
	fields := ""
	for _, f := range conflicts {
		fields += fmt.Sprintf("\n  %s: %q", f.Field, f.Manager)
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

// startsNothing tells of a release that was made, or changed, while its application is
// stopped.
func startsNothing(id release.ID, application string) Notice {
	return Notice{
		Summary: "Application is stopped",
		Detail: fmt.Sprintf("%[1]s is there, without pods: the application %[2]s/%[3]s is stopped. "+
			"Its pods start with that: when its main deployment has `desired_state = \"started\"` again, which may be in this same apply, or, where somebody has stopped it without a configuration, by `kubectl switchback start %[3]s --namespace %[2]s`.", id, id.Namespace, application),
	}
}

// previewUnserved tells of a release that is well, but is not reached by its own address.
func previewUnserved(c Cluster, id release.ID, url, why string) Notice {
	return Notice{
		Summary: "Preview is not served yet",
		Detail: fmt.Sprintf("%s on cluster %q is there, and is not reached by %s so far: its HTTPRoute %s is not accepted. What it waits for: %s. "+
			"It is served as soon as that has come; nothing else depends on it.", id, c.Name(), url, id.Name, why),
	}
}

// runsOn tells of a release that somebody is at work on while its application stops.
func runsOn(c Cluster, id release.ID, holder string) Notice {
	return Notice{
		Summary: "Deployment was left running",
		Detail: fmt.Sprintf("The application is stopped now, but %s on cluster %q is being worked on by %s, and may have pods. "+
			"Apply its `switchback_deployment` again when that has come to its end.", id, c.Name(), holder),
	}
}

// runsOnTakenBack tells of a release that was to end when the traffic was back where it was.
func runsOnTakenBack(c Cluster, id release.ID, why string) Notice {
	return Notice{
		Summary: "Deployment was left as it is",
		Detail: fmt.Sprintf("The traffic was taken back from %s on cluster %q, and its on_failure asks for its end, but %s. "+
			"It goes with its `switchback_deployment`, or when somebody stops it: kubectl switchback stop %[1]s", id, c.Name(), why),
	}
}

// condemned tells of a release that is in no state any more, and stays. Only what
// the pointer names is free as soon as that moves; without a main deployment, nobody
// comes to remove it.
func condemned(c Cluster, id release.ID, record *release.Record, main *release.Main, why reach) Notice {
	instead := "A Service that only serves discovery can be named in `ignore_services`."
	if why.route != "" { // which is traffic, whatever its Service is called
		instead = fmt.Sprintf("Let the %s lead to the application's main Service instead, which always leads to the main deployment.", why.route)
		if main != nil && main.Service != "" {
			instead = fmt.Sprintf("Let the %s lead to the main Service %s instead, which always leads to the main deployment.", why.route, main.Service)
		}
	}
	until := "It keeps running until it is asked for again, which takes it up as it is, or until the main deployment has moved to another one or is destroyed, and is removed then if nothing else leads to it."
	switch {
	case why.pointed && main != nil && (main.Owner != "" || main.Group != ""):
	case main == nil || main.Deployment == "" || why.pointed:
		until = fmt.Sprintf("There is no main deployment of its application that would remove it later: it keeps running. When nothing leads to it any more, remove it:\n  kubectl --namespace %s delete %s\n%s", id.Namespace, ByHand(id.Name, record.Expects(release.CompanionPreview)), instead)
	default:
		until = "When that is so no longer, the next promotion, or the destroy of the main deployment, removes it. " + instead
	}
	return Notice{
		Summary: "Deployment still carries traffic and was left running",
		Detail:  fmt.Sprintf("%s on cluster %q is gone from the Terraform state, but %s. %s", id, c.Name(), why.objects, until),
		Routine: why.pointed,
	}
}

// stillRunning tells of a release that has failed to start and was not stopped.
func stillRunning(c Cluster, id release.ID, why string) Notice {
	return Notice{
		Summary: "A failed deployment was left as it is",
		Detail: fmt.Sprintf("%s on cluster %q did not start, and its pods were left, because %s. It is in no Terraform state; its record is kept. "+
			"Apply the same configuration again to go on with it. Otherwise a promotion removes it, once that is so no longer.", id, c.Name(), why),
	}
}

// routesUnread tells that traffic may go to a release without our knowing.
func routesUnread(c Cluster, namespace string, kind routeKind) Notice {
	return Notice{
		Summary: kind.name + " objects may not be read",
		Detail: fmt.Sprintf("On cluster %q, the credential lacks verb \"list\" on %s in namespace %q. Whether one of them leads to a deployment's own Service was not looked at: "+
			"a deployment that one leads to would be stopped or removed all the same. SECURITY.md has a Role that allows it, which it calls reach.", c.Name(), kind.resource, namespace),
	}
}

// stillEnding tells of pods that end slowly, after new ones have taken over.
func stillEnding(c Cluster, id release.ID, pods []string) Notice {
	return Notice{
		Summary: "Old pods have not ended yet",
		Detail: fmt.Sprintf("The new pods of %s on cluster %q are ready, and the change has succeeded. Of the old ones, these are told to end and are still there: %s. "+
			"They end by themselves; one that does not has a finalizer, or a node that is gone.", id, c.Name(), strings.Join(pods, ", ")),
	}
}

// goesNameless tells that pods lack a label that others may look for.
func goesNameless(c Cluster, id release.ID, avoided map[string]string) Notice {
	return Notice{Summary: NamelessSummary, Detail: NamelessDetail(c.Name(), id, avoided)}
}

// NamelessSummary and NamelessDetail say, at plan and at apply, that the pods of a
// release go without LabelName, and because of which Services.
const NamelessSummary = "Pods go without the label " + release.LabelName

// NamelessDetail is the rest of it.
func NamelessDetail(cluster string, id release.ID, avoided map[string]string) string {
	return fmt.Sprintf("On cluster %q, the Service %s of namespace %s selects pods by it, and would send its traffic to the pods of %s before that deployment is main. "+
		"So they do not carry it. What else looks for that label, such as a NetworkPolicy or a monitor, does not find them; %s finds all pods of the application. "+
		"Where the Service shall reach them, name it in `allow_selected_by`.",
		cluster, strings.Join(Names(avoided), ", "), id.Namespace, id.Name, release.LabelApplication)
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

// recordOutOfDate tells of a release whose record is older than the state that has
// the release.
func recordOutOfDate(c Cluster, id release.ID) Notice {
	return Notice{
		Summary: "Deployment from a backup taken back",
		Detail: fmt.Sprintf("On cluster %q, the record of %s named a claim that was older than this state's own. When this state claimed the deployment, that older claim ended: so the record is from a backup. "+
			"The deployment is held by this resource again. A Terraform state that still has the older claim can neither change nor remove it.", c.Name(), id),
	}
}

// mainOutOfDate is recordOutOfDate for an application's address.
func mainOutOfDate(c Cluster, id string, main release.Main) Notice {
	whose := "a claim"
	if main.Group != "" {
		whose = fmt.Sprintf("a claim of the group %q", main.Group)
	}
	return Notice{
		Summary: "Main deployment from a backup taken back",
		Detail: fmt.Sprintf("On cluster %q, the address of %s, which pointed at %s, was held by %s that was older than this state's own. When this state claimed the address, that older claim ended: so it is from a backup. "+
			"The address is held by this resource again. A Terraform state that still has the older claim can neither move nor remove it.", c.Name(), id, release.OrNothing(main.Deployment), whose),
	}
}

func movedMeanwhile(c Cluster, id, was, from, to string) Notice {
	return Notice{
		Summary: "Main deployment was moved by somebody else",
		Detail: fmt.Sprintf("The traffic of %s on cluster %q was on %s when this change was planned, or when that was last written down, and on %s when it was made. "+
			"It is moved to %s, as planned. %s is kept beyond keep_previous.count until the next promotion, so that going back to it stays possible.", id, c.Name(), was, from, to, was),
	}
}

// notCollected tells of a release that nobody needs, and that stays. Where there
// is no main deployment any more, nobody comes to remove it.
func notCollected(c Cluster, id release.ID, record *release.Record, main release.Main, why string) Notice {
	then := "The next promotion looks again."
	if main.Deployment == "" {
		then = fmt.Sprintf("There is no main deployment any more that would remove it later: it keeps running. When nothing leads to it any more, remove it:\n  kubectl --namespace %s delete %s", id.Namespace, ByHand(id.Name, record.Expects(release.CompanionPreview)))
	}
	return Notice{
		Summary: "An old deployment was left running",
		Detail:  fmt.Sprintf("%s on cluster %q is no longer needed, but %s. %s", id.Name, c.Name(), why, then),
	}
}

// recalled tells that it is not known any more which deployments were main.
func recalled(c Cluster, namespace, application string, kept []string) Notice {
	return Notice{
		Summary: "What was remembered of a main deployment is gone",
		Detail: fmt.Sprintf("The address of %s/%s on cluster %q is there, but not the ConfigMap %s, which said what was main before. "+
			"All that is retained is taken for that, and kept beyond keep_previous.count until the next promotion, the newest first: %s. The history begins anew.",
			namespace, application, c.Name(), release.MainName(application), strings.Join(kept, ", ")),
	}
}

// recordUnread tells of a release on which nobody can decide.
func recordUnread(c Cluster, cm *corev1.ConfigMap) Notice {
	_, err := ownership.RecordIn(cm.Data)
	return Notice{
		Summary: "A deployment's record cannot be read",
		Detail: fmt.Sprintf("Of %s/%s on cluster %q it is not known whether it is still needed: in its ConfigMap, %v. It was left as it is, and its pods run on. "+
			"If it is in a Terraform state, deleting that ConfigMap is enough: the next apply writes it anew. If nobody needs it, and no traffic leads to it, remove it with all its objects:\n  kubectl --namespace %s delete %s%s",
			cm.Namespace, cm.Name, c.Name(), err, cm.Namespace, ByHand(cm.Name, false), previewsByHand),
	}
}

// notBaked tells that a release was not kept for going back.
func notBaked(c Cluster, id release.ID, before string, main release.Main) Notice {
	stays := "There was no main deployment before it."
	switch {
	case before == "":
	case before == main.Deployment:
		stays = fmt.Sprintf("Traffic is back on %s, as it was.", before)
	case !slices.Contains(main.Kept(c.Now()), before):
		stays = fmt.Sprintf("The one before it was %s.", before)
	default:
		stays = fmt.Sprintf("The one before it, %s, is kept for going back in its place.", before)
	}
	return Notice{
		Summary: "A main deployment had not passed its bake",
		Detail: fmt.Sprintf("The promotion to %s on cluster %q was cut off while it could still go back: in its bake, or before it was on every cluster. This one has taken its place. "+
			"So %s does not count as a former main deployment. %s", id, c.Name(), id.Name, stays),
	}
}

func notHandedBack(c Cluster, svc *corev1.Service, application, why string, mixed bool) Notice {
	left := svc.Spec.Selector[release.LabelDeployment]
	way := "start pods that the Service selected before, then apply this configuration once more and destroy it"
	if mixed {
		way = fmt.Sprintf("apply this configuration once more, with allow_selected_by = [%q] on the deployment, which accepts that, and destroy it then", svc.Name)
	}
	return Notice{
		Summary: "Adopted Service was not handed back",
		Detail: fmt.Sprintf("The Service %s/%s on cluster %q still selects %s, because %s. "+
			"So %s keeps running. Switchback manages nothing of the Service any more.\n\n"+
			"Either %s. "+
			"Or set the Service's spec.selector yourself, and when it serves, remove what is left:\n%s",
			svc.Namespace, svc.Name, c.Name(), left, why, left, way, leftByHand(svc.Namespace, release.LabelApplication+"="+application)),
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
		Summary: "A deployment beside main does not run",
		Detail:  fmt.Sprintf("%s on cluster %q shall run, but it did not start: %s. Going back to it would be a cold start, if it starts then. The next promotion tries again.", name, c.Name(), why),
	}
}

func ruleStays(c Cluster, service traffic.ServiceSpec, route release.Route, leads []string, why string) Notice {
	theirs, _ := traffic.Theirs(route.Adopted.Backends) // in a share, it leads to them, too: they are not ours to be removed
	ours := slices.DeleteFunc(slices.Clone(leads), func(name string) bool { return name == theirs })
	namespace, selector := service.Namespace, fmt.Sprintf("'%s in (%s)'", release.LabelDeployment, strings.Join(ours, ", "))
	if len(ours) == 0 { // it has backends of others beside ours
		selector = release.LabelApplication + "=" + service.Application
	}
	return Notice{
		Summary: "Adopted rule was not given back",
		Detail: fmt.Sprintf("The %s in the namespace %s on cluster %q still leads to %s: %s, and giving it back would have been an outage. "+
			"What it leads to keeps running as long as it does. Switchback manages nothing of the rule any more.\n\n"+
			"Let the rule lead elsewhere yourself (`kubectl edit %s %s -n %s`), and remove what is left when it serves:\n%s",
			route, namespace, c.Name(), cmp.Or(strings.Join(leads, " and "), "pods of the application"), why, strings.ToLower(route.Kind), route.Name, namespace, leftByHand(namespace, selector)),
	}
}
