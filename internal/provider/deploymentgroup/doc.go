// Package deploymentgroup is switchback_deployment_group: one promotion of several
// addresses, wave by wave. Each member is an address, as package address has it.
package deploymentgroup
