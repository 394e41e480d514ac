package explain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/switchback-dev/terraform-provider-switchback/internal/cluster"
	"github.com/switchback-dev/terraform-provider-switchback/internal/diagnose"
	"github.com/switchback-dev/terraform-provider-switchback/internal/group"
	"github.com/switchback-dev/terraform-provider-switchback/internal/ownership"
	"github.com/switchback-dev/terraform-provider-switchback/internal/provider/attrs"
	"github.com/switchback-dev/terraform-provider-switchback/internal/release"
	"github.com/switchback-dev/terraform-provider-switchback/internal/rollout"
	"github.com/switchback-dev/terraform-provider-switchback/internal/traffic"
)

// explanation is one row of the table: the error it matches, and what it says.
type explanation func(err error) (summary, next string, at path.Path, ok bool)

// rule makes an explanation for one type of error.
func rule[E error](summary string, next func(E) string, at path.Path) explanation {
	return func(err error) (string, string, path.Path, bool) {
		var e E
		if !errors.As(err, &e) {
			return "", "", path.Empty(), false
		}
		return summary, next(e), at, true
	}
}

func always[E error](text string) func(E) string { return func(E) string { return text } }

// explanations are tried in this order: the more particular first.
var explanations = []explanation{
	func(err error) (string, string, path.Path, bool) {
		var e *rollout.StartError
		if !errors.As(err, &e) {
			return "", "", path.Empty(), false
		}
		return e.Summary(), "", path.Empty(), true
	},
	rule("Deployment did not pass its bake", func(e *rollout.BakeError) string {
		if e.Stays() {
			return "It is main all the same, and the next apply bakes it again. Apply another one, or mend what ended the bake."
		}
		return "The same deployment is not made main again unasked. Apply another one, such as the former version; or, where the cause is elsewhere and is gone, change `retry_token`."
	}, path.Root("deployment_id")),
	rule("Nothing to go back to", always[*release.NoWayBackError](
		"Apply another deployment, or mend this one. The next apply bakes it again; with bake = \"0s\" it is taken as it is."), path.Root("deployment_id")),
	rule("No main deployment", always[*release.NoMainError]("Nothing was written. Apply its switchback_main_deployment."), path.Root("application")),
	rule("No deployment is main everywhere", always[*release.NoneMainError]("Nothing was changed. Name the deployment that is meant in `deployment_id`."), path.Root("application")),
	rule("Promotion was not held", always[*release.HoldError]("Nothing was written."), path.Empty()),
	rule("Nothing was skipped", always[*release.SkipError]("Nothing was written."), path.Empty()),
	rule("Promotion was not aborted", always[*release.AbortError]("Nothing was written."), path.Empty()),
	rule("Application cannot be stopped or started", always[*release.RestError]("Nothing was written."), path.Empty()),
	rule("No such deployment group", always[*group.NoGroupError]("Apply its switchback_deployment_group."), path.Empty()),
	rule("Member has no address", always[*group.LostAddressError]("Traffic was not touched. Apply the group."), path.Empty()),
	rule("Clusters are not alike", always[*group.UnlikeError]("Traffic was not touched. Apply the group, or go back application by application with switchback_rollback."), path.Empty()),
	rule("Several groups of one name", always[*group.OwnersError]("Traffic was not touched. Go back application by application with switchback_rollback."), path.Empty()),
	rule("Clusters are not alike", always[*release.UnlikeError](
		"Traffic was not touched. Name in `clusters` those to act on together, and invoke the action again for the others."), path.Root("clusters")),
	rule("Promotion was taken back", func(e *release.AskedBackError) string {
		if e.Request.Forgets {
			return "Apply the version that it went back to. Or apply this one again: nothing has been seen that speaks against it."
		}
		return "Apply the version that it went back to. This one is not tried again before another deployment has become main, or `retry_token` changes."
	}, path.Root("deployment_id")),
	rule("Deployment was taken back before", always[*release.TakenBackError](
		"Traffic was not touched. There are two ways on: apply another deployment, such as the former version; or, where the cause was elsewhere and is gone, change `retry_token`."), path.Root("retry_token")),
	rule("Deployment carries traffic and was not stopped", func(e *release.CarriesError) string {
		if e.Main {
			return "Nothing was changed there. Move the main deployment to another one first, in an apply of its own, or set desired_state = \"started\". To stop the application as a whole, set desired_state on its switchback_main_deployment."
		}
		if e.Route != "" {
			return fmt.Sprintf("Nothing was changed there. Let the %s lead to the application's main Service instead, which always leads to the main deployment; or set desired_state = \"started\".", e.Route)
		}
		return "Nothing was changed there. Let what sends traffic there lead elsewhere first; name a Service that is no traffic in `ignore_services`; or set desired_state = \"started\"."
	}, path.Root("desired_state")),
	rule("Deployment was stopped meanwhile", func(e *release.StoppedMeanwhileError) string {
		const written = "The change is written down, and the next plan shows nothing to be done. "
		switch {
		case release.StoppedWithMain(e.Reason):
			return written + fmt.Sprintf("Its pods start with its application: when its switchback_main_deployment has desired_state = \"started\" again, "+
				"or, where it was stopped at a terminal, by `kubectl switchback start %s --namespace %s`.", e.Application, e.ID.Namespace)
		case release.StaysTakenBack(e.Reason):
			return written + "Its pods start when it is promoted again."
		}
		return written + fmt.Sprintf("Its pods start when it is promoted, or by `kubectl switchback start %s --namespace %s`.", e.ID.Name, e.ID.Namespace)
	}, path.Root("desired_state")),
	rule("Deployment would get traffic before it is main", always[*release.SelectedError](
		"Nothing was changed. Let such a Service select something else, or change `labels`. Where it is meant to reach this deployment, name it in `allow_selected_by`; "+
			"where it is no traffic, in `ignore_services`. To make it the application's own address, adopt it: the guide \"Moving an existing Deployment in\" says how."), path.Root("allow_selected_by")),
	rule("Deployment did not stop", always[*release.StopError](
		"Find out what those pods wait for: a finalizer, a long termination_grace_period_seconds, a node that is gone. The next apply goes on."), path.Root("desired_state")),
	rule("Deployment was cancelled", func(e *release.CancelledError) string {
		if e.Change {
			return "What ran before goes on running. The next plan shows the change again."
		}
		return "It has been asked to scale down. The next apply resumes it in place."
	}, path.Empty()),
	rule("Action is not allowed", always[*release.RefusedError]("Nothing was changed."), path.Empty()),
	rule("Deployment was taken over", func(e *release.TakenOverError) string {
		switch {
		case e.Gone:
			return "This run has stopped, and touches nothing of it any more. Apply again to make it anew."
		case e.Claimed:
			return "This run has stopped, and touches nothing of it any more: what it had begun is the other one's. If this configuration is to hold it, forget it here and import it again:\n" +
				"  terraform state rm <address>\n  terraform import <address> " + e.ID.String()
		}
		return "This run has stopped, and touches nothing of it any more: what it had begun is the other one's. Apply again when that one has ended."
	}, path.Empty()),
	rule("Pods keep running", func(e *release.LeftRunningError) string { return e.Next() }, path.Empty()),
	rule("Lock was lost", always[*ownership.LockLostError](
		"This run has stopped, and changes nothing of the application any more: what it had begun is up to the other one. Apply again when that one has ended."), path.Empty()),
	rule("Operation was interrupted", func(error) string {
		return "What was done so far is written down in the cluster; the next apply goes on from there."
	}, path.Empty()).only(context.Canceled),
	foreignRoute,
	rule("Object belongs to somebody else", func(e *release.ForeignError) string {
		switch {
		case e.IsAddress() && e.Application != "":
			return "It was left as it is. Give the address another name, by `traffic.service.name`."
		case e.IsAddress():
			return "It was left as it is. Where it is the application's address today, keep it: with `traffic.service.adopt = true` it becomes that of the main deployment, and loses no request. " +
				"The guide \"Moving an existing Deployment in without downtime\" shows how. Otherwise give the address another name, by `traffic.service.name`."
		}
		return "It was left as it is. Choose another application name; or rename that object, where nobody needs its name."
	}, path.Root("application")),
	rule("DNSEndpoint is not a kind of this cluster", always[*release.MissingKindError](missingKind), attrs.DNSPath.AtName("endpoints")),
	noGatewayAPI,
	rule("DNS name cannot have these addresses", always[*release.DNSConflictError](
		"Name in `targets` where the name shall lead on each cluster."), attrs.DNSPath.AtName("targets")),
	rule("No address for DNS", func(e *release.NoAddressError) string {
		if e.Err == nil {
			return "Traffic was not touched by this. Name the cluster's addresses in `targets`, or make the Service a load balancer."
		}
		return "Traffic was not touched by this, and the other clusters have their records. Find out what gives load balancers their addresses on that cluster; the next apply goes on. " +
			"Or name the addresses in `targets`."
	}, attrs.DNSPath.AtName("targets")),
	rule("Service cannot be adopted", always[*release.AdoptionError](
		"Nothing was changed."), attrs.ServicePath.AtName("adopt")),
	rule("Rule cannot be adopted", always[*release.RuleError]("Nothing was changed."), path.Root("traffic").AtName("gateway").AtName("rule")),
	rule("Deployment is being worked on", always[*ownership.HolderError](
		"Another run holds it. Wait for that run to end; one that died is taken over by itself."), path.Empty()),
	func(err error) (string, string, path.Path, bool) {
		var e *release.ClaimError
		if !errors.As(err, &e) {
			return "", "", path.Empty(), false
		}
		at := path.Empty()
		if e.Step == release.ClaimRefuseTwin || e.Step == release.ClaimRefuseCollision {
			at = path.Root("triggers")
		}
		return "Deployment cannot be claimed", "", at, true
	},
	rule("State is out of date: claimed by somebody else", func(e *release.StaleOwnerError) string {
		return "Nothing was changed. If this configuration is to hold it, forget it here and import it again:\n" +
			"  terraform state rm <address>\n  terraform import <address> " + e.ID
	}, path.Empty()),
	rule("Application already has a main deployment", func(e *release.MainOwnedError) string {
		return "Nothing was changed. If this configuration is to hold it, import it:\n  terraform import <address> " + e.ID +
			"\nA deployment group takes an address over while it points at the deployment that the group asks for, too: " +
			"let that main deployment be forgotten by a `removed` block with `lifecycle { destroy = false }`, add the same deployment_id to the group's members, and change it in the next apply."
	}, path.Root("application")),
	rule("Application belongs to a deployment group", func(e *release.GroupOwnedError) string {
		if e.Unfinished {
			return "Nothing was changed. Let the group finish first: apply its configuration again."
		}
		return fmt.Sprintf("Nothing was changed. What asks for %s, too, takes the address over without touching its traffic: let the group %q forget it first, "+
			"by a `removed` block with `lifecycle { destroy = false }`. The guide \"Groups and waves\" says how.", e.Deployment, e.Group)
	}, path.Root("application")),
	rule("Application has a DNS name", always[*release.NamedError](
		"Nothing was changed. Take `dns` away from its switchback_main_deployment and apply that; then let the group take the address over. "+
			"The records can be made outside of Switchback, from the clusters' addresses."), path.Root("members")),
	rule("Nothing to go back to by itself", always[*release.GoBackError](
		"Traffic was not touched. Say which deployment to go back to, or on which cluster."), path.Root("deployment_id")),
	rule("Application was not let go on", always[*release.ResumeError](
		"Nothing was written. Look at where it is now, and decide again; `deployment_id` and `clusters` say which one is meant."), path.Empty()),
	rule("Group has no way back by itself", always[*release.GroupBackError](
		"Traffic was not touched. Change the versions back and apply, or go back application by application with the action switchback_rollback."), path.Empty()),
	rule("Action is not allowed", always[*release.GroupActionError]("Nothing was changed."), path.Empty()),
	rule("Main deployment has moved meanwhile", always[*release.MovedError](
		"Traffic was not touched. Look at where it is now, and decide again."), path.Empty()),
	rule("Main deployment has moved meanwhile", always[*release.PointerChangedError](
		"This run has stopped. The status tells where the traffic is; look at it, and apply again."), path.Empty()),
	rule("Deployment cannot become main", func(e *release.NotReadyError) string {
		if e.Shares {
			return "It had a share of the traffic by then, and all of that is back where it was."
		}
		return "Traffic was not touched."
	}, path.Root("deployment_id")),
	rule("Address does not answer", always[*release.ProbeError](
		"The step could not be done, so that all of the traffic goes back. Ask the same from the same machine, such as with curl, and look at where the name leads, at the Gateway, and at what the application says. "+
			"Where the probe itself is wrong, correct `probe`, or remove it."), path.Root("traffic").AtName("gateway").AtName("probe")),
	rule("Action is not allowed", always[*release.ActionError](""), path.Empty()),
	rule("Object does not go away", always[*release.StuckError](
		"It stays in the state, so that the next apply goes on. Find out what the finalizer or pod waits for."), path.Empty()),
	rule("Record cannot be read", always[*ownership.UnreadableError](""), path.Empty()),
	rule("Application is locked", always[*ownership.LockedError](
		"Another run is changing it. Wait for it to end; a Lease whose holder died is taken over by itself."), path.Empty()),
	rule("Nothing like that is there", always[*diagnose.AbsentError](
		"Check the name, the namespace and `clusters`. The data source switchback_deployments lists the deployments of a namespace."), path.Empty()),
	rule("No such container", always[*diagnose.NoContainerError](
		"Name one of those, or leave `container` out for all of them."), path.Root("container")),
	rule("No credential in this connection", always[*cluster.NoCredentialError](
		"The API server does not know who asks. Give the connection one of `token`, `exec`, `client_certificate` with `client_key`, or `username` with `password`; "+
			"or name a kubeconfig that has one in `config_path`. Where the provider's configuration has no `clusters`, the environment may give them, too: "+
			"KUBE_TOKEN, KUBE_CLIENT_CERT_DATA with KUBE_CLIENT_KEY_DATA, KUBE_USER with KUBE_PASSWORD, or KUBE_CONFIG_PATH."), path.Empty()),
	rule("Permission is missing", always[*diagnose.NotAllowedError](
		"Allow it in a Role of that namespace: SECURITY.md has one, which it calls diagnose."), path.Empty()),
	rule("File cannot be written", always[*diagnose.DownloadError](
		"What stood in it before is still there. Its directory must exist, and be writable."), path.Root("download_path")),
	rule("Wrong cluster", always[*cluster.WrongClusterError](
		"Correct the connection in the provider's configuration, or its expected_uid."), path.Empty()),
	rule("Kubernetes is too old", always[*cluster.TooOldError]("Upgrade the cluster."), path.Empty()),
	rule("Namespace is not there", always[*cluster.NamespaceError](
		"Create the namespace first; Switchback does not."), path.Root("namespace")),
	rule("Permissions are missing", always[*cluster.MissingPermissionsError](""), path.Empty()),
	rule("Cluster is unreachable, and not forgotten", always[*keptError](
		"What is there stays in the state, and the next attempt goes on from there. If that cluster is gone for good, terraform state rm forgets what the state still has. "+
			"Where abandon_unreachable = true was applied before, or comes with the change of `clusters`, a cluster that cannot be reached is forgotten with a warning that says what is left there."), path.Root("abandon_unreachable")),
	rule("Cluster is unreachable, and not forgotten", always[*vouchedError](
		"Nothing was forgotten, although abandon_unreachable is set: a proxy has answered, so that the cluster may be well behind it. What is there stays in the state, and the next attempt goes on from there. "+
			"Mend the proxy, or the connection's proxy_url. If that cluster is gone for good, terraform state rm forgets what the state still has."), path.Root("abandon_unreachable")),
	rule("Cluster is unreachable", always[*cluster.UnreachableError](
		"Check the address, the network and that the API server runs."), path.Empty()),
	rule("Connection does not work", always[*cluster.UnusableError](
		"The cluster may be well: it is not taken for one that cannot be reached. Correct the connection in the provider's configuration."), path.Empty()),
	rule("No trusted connection", always[*cluster.TLSError](
		"Check the CA and client certificates in the provider's configuration."), path.Empty()),
	rule("Credential is not accepted", always[*cluster.CredentialError](
		"Log in again, or correct the credential in the provider's configuration."), path.Empty()),
	rule("Fields belong to another field manager", always[*cluster.ApplyConflictError](
		"Nothing was overwritten. Plan again: what was changed there will be shown as drift, and the next apply takes it back. To leave it alone, list it in ignore_drift."), path.Empty()),
	rule("Operation took too long", always[*TimeoutError]("Raise that entry, or find out what it waited for."), path.Root("timeouts")),
	rule("Request was refused", always[*cluster.RequestError](""), path.Empty()),
}

// only narrows a row to one sentinel error.
func (x explanation) only(sentinel error) explanation {
	return func(err error) (string, string, path.Path, bool) {
		if !errors.Is(err, sentinel) {
			return "", "", path.Empty(), false
		}
		return x(err)
	}
}

// Of finds the row for an error.
func Of(err error) (summary, detail string, at path.Path) {
	summary, next, at := explained(err)
	detail = Sentence(said(err))
	if untold := new(rollout.UntoldError); errors.As(err, &untold) {
		next, at = strings.TrimSpace("To act on the other clusters, name them in `clusters`.\n\n"+next), path.Root("clusters")
	}
	if next != "" {
		detail += "\n\n" + next
	}
	return summary, detail, at
}

// explained is what the table has on an error.
func explained(err error) (summary, next string, at path.Path) {
	for _, row := range slices.Concat(creations, explanations) {
		if summary, next, at, ok := row(err); ok {
			return summary, next, at
		}
	}
	return "Operation failed", "", path.Empty()
}

// said is what an error says. Of a Ctrl-C, Go says "context canceled".
func said(err error) string {
	text := err.Error()
	if before, ended := strings.CutSuffix(text, context.Canceled.Error()); ended && errors.Is(err, context.Canceled) {
		return before + "it was interrupted"
	}
	return text
}

// missingKind says how a cluster learns what a DNSEndpoint is.
const missingKind = "Nothing was changed. Install it before, from external-dns' Helm chart or with\n" +
	"  kubectl apply --server-side -f https://raw.githubusercontent.com/kubernetes-sigs/external-dns/v0.23.0/config/crd/standard/dnsendpoints.externaldns.k8s.io.yaml\n" +
	"Where this configuration installs it, let the main deployment depend on that (`depends_on`). " +
	"Without external-dns, set `endpoints = false` and make the records from `dns_records`."

// noGatewayAPI is on the attribute that asks for a route: of an address, or of a
// deployment for itself.
func noGatewayAPI(err error) (summary, next string, at path.Path, ok bool) {
	var e *release.NoGatewayAPIError
	if !errors.As(err, &e) {
		return "", "", path.Empty(), false
	}
	at = path.Root("traffic").AtName("gateway")
	if e.Preview {
		at = path.Root("preview")
	}
	if e.Gone != "" {
		return "Gateway API is not installed any more", "Until the route is there again, its Gateway answers nobody by it; the application's Service leads where it did. Install the CustomResourceDefinitions of the Gateway API again, and apply: the route is made again, " +
			"with all of the traffic on the deployment that had it before.", at, true
	}
	return "Gateway API is not installed", "Nothing was changed. Install its CustomResourceDefinitions, and a Gateway that serves such routes; or remove the attribute. " +
		"Where this configuration installs them, let this resource depend on that (`depends_on`).", at, true
}

// foreignRoute is where the name of an address's route is taken.
func foreignRoute(err error) (summary, next string, at path.Path, ok bool) {
	var e *release.ForeignError
	if !errors.As(err, &e) || !slices.Contains(traffic.RouteKinds(), traffic.RouteKind(e.Kind)) {
		return "", "", path.Empty(), false
	}
	if _, own := release.ApplicationOf(e.Name); own {
		return "", "", path.Empty(), false
	}
	next = "It was left as it is. Give the route another name, by `traffic.gateway.name`."
	if e.Application == "" {
		next = "It was left as it is. To let one rule of it lead to the application, set `traffic.gateway.adopt = true`: the guide \"Moving an existing HTTPRoute in\" shows how. Otherwise give the route another name, by `traffic.gateway.name`."
	}
	return "Object belongs to somebody else", next, path.Root("traffic").AtName("gateway").AtName("name"), true
}
