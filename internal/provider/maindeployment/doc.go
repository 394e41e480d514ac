// Package maindeployment is switchback_main_deployment: which deployment gets the
// traffic of an application's own address. Most of an address is in package address;
// here is what a member of a group does not have: bake, rollout and dns, and with
// them the data source, the list, and the action that goes back.
package maindeployment
