# Refuses plans that delete something. A naive rule refuses every release, too: a
# new version is a new switchback_deployment, so that Terraform replaces the old
# one. What that loses is its place in the state, not its pods: the provider keeps
# what carries traffic, and retains what keep_previous says.
package main

import rego.v1

deny contains message if {
	some resource in input.resource_changes
	"delete" in resource.change.actions
	not release(resource)
	not leftover(resource)
	message := sprintf("%s is deleted: %s", [resource.address, concat(", ", resource.change.actions)])
}

# A deployment that is replaced, in either order, is a release. An address that is
# replaced is not: it is away for a moment.
release(resource) if {
	resource.type == "switchback_deployment"
	{action | some action in resource.change.actions} == {"create", "delete"}
}

# After a release that went back, the state has the former deployment as a deposed
# object. The next apply only forgets it.
leftover(resource) if {
	resource.type == "switchback_deployment"
	resource.deposed
}
