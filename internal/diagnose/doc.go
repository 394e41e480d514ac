// Package diagnose reads, live, what explains how a release is: its workload with
// all that is around it, Events, and what containers have written. What may not be
// read is named. It writes nothing.
package diagnose
