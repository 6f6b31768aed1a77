package chat

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestMaskCards(t *testing.T) {
	m := NewMask(true, nil, 0)
	for in, want := range map[string]string{
		"":                                      "",
		"my card is 4111 1111 1111 1111 thanks": "my card is **** **** **** **** thanks",
		"4111111111111111":                      "****************",
		"4111-1111-1111-1111.":                  "****-****-****-****.",
		"4111 - 1111 - 1111 - 1111":             "**** - **** - **** - ****",
		"4111\u00a01111\u20111111\u20131111":    "****\u00a0****\u2011****\u2013****",
		"4111\u200b1111\u200b1111\u200b1111":    "****\u200b****\u200b****\u200b****",
		"４１１１ １１１１ １１１１ １１１１": "**** **** **** ****",
		"3782 822463 10005":                       "**** ****** *****", // 15 digits
		"4222222222222":                           "*************",     // 13 digits
		"6304000000000000000":                     "*******************",
		"4111 1111 1111 1111 123":                 "**** **** **** **** 123", // the code beside it
		"12 4111 1111 1111 1111":                  "12 **** **** **** ****",
		"4111 1111 1111 1111 4111 1111 1111 1111": "**** **** **** **** **** **** **** ****",
		"4111 1111 1111 1112":                     "4111 1111 1111 1112", // the check digit is wrong
		"order 41111111111111112345 please":       "order 41111111111111112345 please",
		"4111    1111 1111 1111":                  "4111    1111 1111 1111", // more than a gap
		"4111.1111.1111.1111":                     "4111.1111.1111.1111",
		"call +49 30 901820":                      "call +49 30 901820",
		"\U0001F600 4111 1111 1111 1111 \u00e9":   "\U0001F600 **** **** **** **** \u00e9",
	} {
		t.Run(in, func(t *testing.T) {
			if got := m.Text(in); got != want {
				t.Errorf("%q became %q, want %q", in, got, want)
			}
		})
	}
}

func TestMaskPreview(t *testing.T) {
	m := NewMask(true, []*regexp.Regexp{regexp.MustCompile(`(?i)pin \d+`)}, '#')
	for in, want := range map[string]string{
		"12345678":           "12345678",
		"123456789":          "#########",
		"1234 5678 9":        "#### #### #",
		"a 1234-5678-9 b":    "a ####-####-# b",
		"1234 5678 x9":       "1234 5678 x9",
		"PIN 12":             "######",
		"0301234567 or 0309": "########## or 0309",
	} {
		t.Run(in, func(t *testing.T) {
			if got := m.Preview(in); got != want {
				t.Errorf("%q became %q, want %q", in, got, want)
			}
		})
	}
	if got := NewMask(false, nil, 0).Preview("123456789"); got != "123456789" {
		t.Errorf("without cards a preview became %q", got)
	}
	if got := (*Mask)(nil).Preview("4111111111111111"); got != "4111111111111111" {
		t.Errorf("no mask covered %q", got)
	}
}

func TestMaskPatterns(t *testing.T) {
	m := NewMask(false, []*regexp.Regexp{regexp.MustCompile(`geheim`), regexp.MustCompile(`\*+!`), regexp.MustCompile(`x*`)}, 0)
	for in, want := range map[string]string{
		"ein geheim!nis": "ein *******nis",
		"axxb é xx":      "a**b é **",
	} {
		t.Run(in, func(t *testing.T) {
			if got := m.Text(in); got != want {
				t.Errorf("%q became %q, want %q", in, got, want)
			}
		})
	}
}

// card completes digits with the check digit.
func card(digits string) string {
	for c := '0'; c <= '9'; c++ {
		sum := 0
		full := digits + string(c)
		for i := range full {
			v := int(full[len(full)-1-i] - '0')
			if i%2 == 1 {
				v = v/5 + v*2%10 // the sum of the digits of twice v
			}
			sum += v
		}
		if sum%10 == 0 {
			return full
		}
	}
	panic("no check digit")
}

// Card numbers, written in any grouping and in any company, are covered in
// whatever a chat makes of them; the rest keeps its length, and what has been
// covered once stays as it is.
func TestNoCardNumberSurvives(t *testing.T) {
	around := rapid.SampledFrom([]string{"", "my card: ", "é\u2028", "\U0001F600", "12 ", "x", "7-", "4111111111111112 ", "* "})
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(minCard-1, maxCard-1).Draw(t, "length")
		digits := rapid.StringOfN(rapid.RuneFrom([]rune("0123456789")), n, n, -1).Draw(t, "digits")
		bare := card(digits)
		written := ""
		for i, c := range bare {
			if i > 0 {
				written += rapid.SampledFrom([]string{"", "", "", " ", "-", " - ", "\u00a0"}).Draw(t, "gap")
			}
			written += string(c)
		}
		before, after := around.Draw(t, "before"), around.Draw(t, "after")
		if after != "" && after[0] >= '0' && after[0] <= '9' {
			after = " " + after
		}
		text := before + written + after

		s := NewState(1, DefaultRules())
		s.Rules.Mask = modelMask
		got := mustDecide(t, s, Command{At: noon, By: TheVisitor(), Do: Open{
			Name: text, Text: text, Opening: Opening{Service: "s", Queue: "q", Channel: "c", Subject: text, FirstName: text, LastName: text},
		}})
		got = append(got, mustDecide(t, s, Command{At: noon, By: TheVisitor(), Do: Say{Text: text}})...)
		got = append(got, mustDecide(t, s, Command{At: noon, By: TheVisitor(), Do: Notify{Text: text}})...)
		got = append(got, mustDecide(t, s, Command{At: noon, By: TheVisitor(), Do: Rename{Name: "x" + text}})...)
		mustDecide(t, s, Command{At: noon, Do: Offer{Agent: 7, Name: "Ben", Role: RoleAgent, Until: noon.Add(1e9)}})
		mustDecide(t, s, Command{At: noon, By: Staff(7), Do: Accept{}})
		got = append(got, mustDecide(t, s, Command{At: noon, By: Staff(7), Do: Say{Text: text, Audience: AudienceStaff}})...)
		got = append(got, mustDecide(t, s, Command{At: noon, By: Staff(7), Do: Type{On: true, Preview: text}})...)
		lines := 0
		for _, e := range got {
			var texts []string
			switch f := e.Fact.(type) {
			case Joined:
				texts = []string{f.Name, f.Opening.Subject, f.Opening.FirstName, f.Opening.LastName}
			case Said:
				texts = []string{f.Text}
			case Noticed:
				texts = []string{f.Text}
			case Renamed:
				texts = []string{strings.TrimPrefix(f.Name, "x")}
			case Typed:
				texts = []string{e.Preview}
			}
			for _, covered := range texts {
				lines++
				if !strings.Contains(covered, "*") || plain(covered, bare) {
					t.Fatalf("%T of %q says %q", e.Fact, text, covered)
				}
				if utf8.RuneCountInString(covered) != utf8.RuneCountInString(text) {
					t.Fatalf("%q became %q, of another length", text, covered)
				}
				if modelMask.Text(covered) != covered || e.Preview != "" && modelMask.Preview(covered) != covered {
					t.Fatalf("%q is not what covering makes of itself", covered)
				}
			}
		}
		if lines != 10 {
			t.Fatalf("%d texts were looked at", lines)
		}
	})
}

// plain says whether the digits can still be read in a text, whatever stands
// between them.
func plain(text, digits string) bool {
	only := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '*' {
			return r
		}
		return -1
	}, text)
	return strings.Contains(only, digits)
}

// What is not a number of that size stays as it is.
func TestMaskLeavesTheRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`([a-zé]{1,9}[ ,.-]{1,2}[0-9]{0,8}[,.;]){0,6}`).Draw(t, "text")
		if got := modelMask.Preview(text); !strings.Contains(text, "secret") && got != text {
			t.Fatalf("%q became %q", text, got)
		}
	})
}
