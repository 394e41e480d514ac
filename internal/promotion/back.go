package promotion

// Sides is what the two releases between which a route shares the traffic have to serve it
// with, when all of it is to go back to one of them. For example: of 8 pods of api-1, which
// has 25 %, 4 are ready. So it gets 50 %, and the rest when more of them are ready.
type Sides struct {
	Share  int   // percent of the traffic that the one to which it goes back has
	Needs  int32 // pods of that one which all of the traffic takes
	Enough int32 // how many of these do the work
	Ready  int32 // how many of these are ready
	Other  int32 // pods of the other one that are ready
}

// Back is how many percent of the traffic the release gets back now: all of it, where its
// pods are enough, or where a pod of the other one would have to serve no less than one of its
// own does then. Else what its ready pods carry, and never less than it has.
func (s Sides) Back() int {
	if s.Ready >= s.Enough {
		return 100
	}
	carries := max(s.Share, int(int64(s.Ready)*100/int64(max(s.Needs, 1))))
	if left := 100 - carries; int64(s.Other)*100 <= int64(left)*int64(s.Ready) || s.Other == 0 {
		return 100
	}
	return carries
}
