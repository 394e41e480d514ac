// Package environment is the data source switchback_environment: many applications,
// seen as one.
package environment
