// Package diagnosis is the data source switchback_diagnosis: whether something runs
// as it should, and if not, why.
package diagnosis
