package chat

import (
	"maps"
	"net/url"
	"unicode/utf8"
)

// update decides what a participant does besides writing.
func (d *decider) update(a Action) error {
	p, err := d.speaker()
	if err != nil {
		return err
	}
	switch a := a.(type) {
	case Rename:
		if a.Name == "" {
			return Refuse(Invalid, "a name is needed")
		}
		if err := checkText(a.Name, MaxName, "the name"); err != nil {
			return err
		}
		if name := d.s.Rules.Mask.Text(a.Name); name != p.Name {
			d.emit(Renamed{No: p.No, Name: name})
		}
	case Push:
		return d.push(p, a)
	case Notify:
		return d.notify(p, a)
	case SetData:
		return d.setData(p, a)
	case MarkRead:
		// Somebody who claims to have read the future has read what there is.
		if upto := min(a.Upto, d.s.Last); upto > d.s.seen[p.No] {
			d.emit(Seen{No: p.No, Upto: upto})
		}
	}
	return nil
}

func (d *decider) push(p Participant, a Push) error {
	if err := checkText(a.URL, MaxURL, "the address"); err != nil {
		return err
	}
	u, err := url.Parse(a.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return Refuse(Invalid, "that is no http or https address")
	}
	d.emit(Pushed{No: p.No, URL: a.URL})
	return nil
}

func (d *decider) notify(p Participant, a Notify) error {
	if err := checkText(a.Text, MaxText, "the notice"); err != nil {
		return err
	}
	if len(a.Attributes) > MaxAttributes {
		return Refuse(TooLong, "the attributes are too long")
	}
	attributes, err := compactObject(a.Attributes)
	if err != nil {
		return err
	}
	d.emit(Noticed{No: p.No, Text: d.s.Rules.Mask.Text(a.Text), Attributes: attributes})
	if a.ResetIdle && d.s.idle().Alert > 0 {
		d.emit(IdleReset{})
	}
	return nil
}

// setData checks the data as it would be and says what is new about it.
func (d *decider) setData(p Participant, a SetData) error {
	changed := make(map[string]string)
	for k, v := range a.Data {
		if old, there := d.s.Opening.Data[k]; !there || old != v {
			changed[k] = v
		}
	}
	all := make(map[string]string, len(changed)+len(d.s.Opening.Data))
	maps.Copy(all, d.s.Opening.Data)
	maps.Copy(all, changed)
	if err := checkData(all); err != nil {
		return err
	}
	if len(changed) > 0 {
		d.emit(DataSet{No: p.No, Data: changed})
	}
	return nil
}

// checkData checks the data of a chat as a whole.
func checkData(data map[string]string) error {
	size := 0
	for k, v := range data {
		size += len(k) + len(v)
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			return Refuse(Invalid, "the data is not UTF-8")
		}
	}
	if size > MaxData {
		return Refuse(TooLong, "the data is too long")
	}
	return nil
}

// MaxURL is the longest address that can be pushed, in bytes.
const MaxURL = 2 << 10
