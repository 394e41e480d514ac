// Package address is an application's own address, as a main deployment and a
// member of a group ask for it: the attributes that both have, how a change of it
// is planned, what is asked of the engine, and what a state says of it afterwards.
// What only one of the two has is in its own package.
package address
