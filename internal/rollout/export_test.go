package rollout

// Gather is what an error and a diagnosis are made of.
var Gather = gather
