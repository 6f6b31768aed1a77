package chat

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// leaf is a value within a summary that can be changed by itself.
type leaf struct {
	path string
	v    reflect.Value
}

// fill gives every field a value, with two elements in each slice, and returns
// the leaves.
func fill(v reflect.Value, path string) []leaf {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)))
		return []leaf{{path, v}}
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return fill(v.Elem(), path)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		return append(fill(v.Index(0), path+"[0]"), fill(v.Index(1), path+"[1]")...)
	case reflect.Struct:
		var all []leaf
		for i := range v.NumField() {
			all = append(all, fill(v.Field(i), path+"."+v.Type().Field(i).Name)...)
		}
		return all
	}
	return []leaf{{path, v}}
}

// change gives a leaf another value.
func change(v reflect.Value) error {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(v.Interface().(time.Time).Add(time.Second)))
	case v.Kind() == reflect.String:
		v.SetString(v.String() + "x")
	case v.Kind() == reflect.Bool:
		v.SetBool(!v.Bool())
	case v.CanInt():
		v.SetInt(v.Int() + 1)
	case v.CanUint():
		v.SetUint(v.Uint() + 1)
	default:
		return fmt.Errorf("a value of kind %v", v.Kind())
	}
	return nil
}

// A summary that is stored differs from one that says anything else, whatever
// field it is; and so do two that the board compares. The index of the last event
// is not stored.
func TestSummariesAreComparedWhole(t *testing.T) {
	var base Summary
	all := fill(reflect.ValueOf(&base).Elem(), "")
	for i := range all {
		t.Run(all[i].path, func(t *testing.T) {
			var other Summary
			l := fill(reflect.ValueOf(&other).Elem(), "")[i]
			if !base.Equal(other) {
				t.Fatal("got two equal summaries told apart before anything was changed")
			}
			if err := change(l.v); err != nil {
				t.Fatal(err)
			}
			live := strings.HasPrefix(l.path, ".Participants") || strings.HasPrefix(l.path, ".Last")
			if want := live; base.Equal(other) != want {
				t.Errorf("got equal %v, want %v", !want, want)
			}
			if want := l.path == ".Deadline"; other.Postpones(base) != want {
				t.Errorf("got postponed %v, want %v", !want, want)
			}
		})
	}
	for name, lose := range map[string]func(s *Summary){
		"no offer": func(s *Summary) { s.Offer = nil }, "no agents": func(s *Summary) { s.Agents = nil },
		"no files": func(s *Summary) { s.Files = nil }, "no exclusions": func(s *Summary) { s.Excluded = nil },
	} {
		t.Run(name, func(t *testing.T) {
			other := base
			lose(&other)
			if base.Equal(other) || other.Equal(base) {
				t.Error("got equal, want not")
			}
		})
	}
}
