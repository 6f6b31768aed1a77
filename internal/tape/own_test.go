package tape

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// What a site calls its own fields may be what the API calls some of its
// numbers; a customer's PIN in userData.code is none of them.
func TestNumbersOfTheSiteAreHidden(t *testing.T) {
	const pin = "48291"
	post := func(kind, query, body string) Request {
		u := &url.URL{Path: "/genesys/2/chat/support/1/updateData", RawQuery: query}
		return Request{Method: "POST", URL: u, Header: http.Header{"Content-Type": {kind}}, Body: []byte(body), Size: int64(len(body))}
	}
	const form, object = "application/x-www-form-urlencoded", "application/json"
	event := `{"channel":"/service/chatV2/support","data":{"messages":[{"index":4,"eventAttributes":{"x":{"index":` + pin + `}},"userData":{"timeout":` + pin + `}}]}}`
	m := NewMasker()
	for name, l := range map[string]Line{
		"a form":               m.Request(post(form, "", "userData[code]="+pin)),
		"a form's own field":   m.Request(post(form, "", "id="+pin)),
		"a form's JSON":        m.Request(post(form, "", "userData="+url.QueryEscape(`{"id":"`+pin+`"}`))),
		"a query":              m.Request(post(form, "userData[index]="+pin, "")),
		"an object":            m.Request(post(object, "", `{"userData":{"code":"`+pin+`","id":`+pin+`}}`)),
		"a field that is none": m.Request(post(object, "", `{"customer":{"code":`+pin+`,"userData":{"id":"`+pin+`"}}}`)),
		"a part":               m.Request(Request{Method: "POST", URL: &url.URL{Path: "/genesys/2/chat-ntf"}, Header: http.Header{"Content-Type": {"multipart/form-data; boundary=b"}}, Parts: []Part{{Name: "userData[code]", Value: []byte(pin)}}}),
		"an event":             m.Frame(Server, []byte(event), 100, false),
	} {
		t.Run(name, func(t *testing.T) {
			b, err := Append(nil, l)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(b), pin) {
				t.Errorf("%s shows it: %s", name, b)
			}
		})
	}
	l := m.Request(post(form, "", "transcriptPosition=48"))
	if len(l.Fields) != 1 || l.Fields[0].Value != "48" {
		t.Errorf("a position became %+v", l.Fields)
	}
}
