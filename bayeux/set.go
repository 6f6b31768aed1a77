package bayeux

// set is a set of values that keeps its memory in proportion: most sessions
// subscribe to few channels, and most channels have few subscribers. It is
// quick to go through as a list. The zero value is empty. It is not safe for
// concurrent use.
type set[T comparable] struct {
	list []T
	at   map[T]int // where each value stands in list; nil while there are few
}

// fewValues is how many values are found by looking at all of them.
const fewValues = 16

func (s *set[T]) find(v T) (at int, there bool) {
	if s.at != nil {
		at, there = s.at[v]
		return at, there
	}
	for i, x := range s.list {
		if x == v {
			return i, true
		}
	}
	return 0, false
}

func (s *set[T]) has(v T) bool {
	_, there := s.find(v)
	return there
}

// add says whether the value is new.
func (s *set[T]) add(v T) bool {
	if s.has(v) {
		return false
	}
	s.list = append(s.list, v)
	switch {
	case s.at != nil:
		s.at[v] = len(s.list) - 1
	case len(s.list) > fewValues:
		s.at = make(map[T]int, 2*fewValues)
		for i, x := range s.list {
			s.at[x] = i
		}
	}
	return true
}

// remove says whether the value was there. It changes the order of the others.
func (s *set[T]) remove(v T) bool {
	at, there := s.find(v)
	if !there {
		return false
	}
	last := len(s.list) - 1
	s.list[at] = s.list[last]
	if s.at != nil {
		s.at[s.list[at]] = at
		delete(s.at, v)
	}
	var zero T
	s.list[last] = zero
	s.list = s.list[:last]
	if last == 0 {
		*s = set[T]{}
	}
	return true
}
