package tape

import (
	"strconv"
	"strings"
)

// Fill is a string that can stand for a token's value: of the sort and the
// length that the token tells, and the same for the same token. For a token
// whose value the server gives it is the token itself, which no server takes
// for one of its own.
func (t Token) Fill() string {
	n, label := t.Length, t.Sort+"-"+strconv.Itoa(t.Number)
	if n < 0 {
		return t.String()
	}
	tail := strconv.FormatInt(int64(t.Number), 36)
	switch t.Sort {
	case blank:
		return strings.Repeat(" ", n)
	case digits:
		return padded("", strconv.Itoa(t.Number), "0", n)
	case email:
		const host = "@mail.example"
		return padded("m", tail, "x", max(n-len(host), 1)) + host
	case address:
		const host = "https://web.example/"
		return host + padded("", tail, "x", max(n-len(host), 1))
	}
	if t.Wide {
		const letter = "é"
		wide := letter + label
		for len(wide)+len(letter) <= n {
			wide += letter
		}
		return wide
	}
	if n < len(label) {
		return padded("", tail, "x", n)
	}
	return label + strings.Repeat("x", n-len(label))
}

// padded is head, filling and tail with n bytes in all, or the last n bytes of
// the tail if there is no room.
func padded(head, tail, filling string, n int) string {
	if len(head)+len(tail) > n {
		return tail[max(len(tail)-n, 0):]
	}
	return head + strings.Repeat(filling, n-len(head)-len(tail)) + tail
}
