package chat

import "slices"

// maxOnly is how many participants a private line may be for.
const maxOnly = 32

// audience checks for whom a line is, and answers with the participants that a
// private one names, in order and each once.
func (d *decider) audience(from Participant, a Say) ([]int, error) {
	switch {
	case a.Audience == AudienceAll && len(a.Only) == 0:
		return nil, nil
	case from.No == VisitorNo:
		return nil, Refuse(Forbidden, "a visitor's lines are for everybody")
	case a.Audience == AudienceStaff && len(a.Only) == 0:
		return nil, nil
	case a.Audience != AudiencePrivate:
		return nil, Refuse(Invalid, "there is no such audience")
	case len(a.Only) == 0 || len(a.Only) > maxOnly:
		return nil, Refuse(Invalid, "a private line is for somebody")
	}
	for _, no := range a.Only {
		if no <= VisitorNo || no > len(d.s.Participants) || d.s.Participants[no-1].Staff == 0 {
			return nil, Refuse(Invalid, "a private line is for agents of this chat")
		}
	}
	only := slices.Clone(a.Only)
	slices.Sort(only)
	return slices.Compact(only), nil
}

// For says whether the line may be shown to a participant.
func (f Said) For(no int) bool {
	switch f.Audience {
	case AudienceAll:
		return true
	case AudienceStaff:
		return no != VisitorNo
	case AudiencePrivate:
		return no != VisitorNo && (no == f.No || slices.Contains(f.Only, no))
	default:
		return false
	}
}
