// Package attrs is the attributes that several resources and data sources have in
// common. Each has its schema and its value here: what a user can write, what that
// asks for in terms of internal/release, and the way back. It knows no resource,
// and no cluster.
package attrs
