package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/halley-chat/halley/internal/config"
)

func TestLifeDefaults(t *testing.T) {
	c, err := config.Parse([]byte("[services.a]\n[services.a.idle]\nenabled = true\n[services.a.async]\nenabled = true\n[services.b]\nqueue = \"a\"\n[queues.a]\nmembers = [\"*\"]\n"))
	if err != nil {
		t.Fatal(err)
	}
	a := c.Services["a"]
	for name, text := range map[string]string{
		"alert": a.Idle.MessageAlert, "alert2": a.Idle.MessageAlert2, "close": a.Idle.MessageClose,
		"async alert": a.Async.MessageAlert, "async close": a.Async.MessageClose,
	} {
		if text == "" {
			t.Errorf("there is no text for %s", name)
		}
	}
	a.Idle.MessageAlert, a.Idle.MessageAlert2, a.Idle.MessageClose, a.Async.MessageAlert, a.Async.MessageClose = "", "", "", "", ""
	want := config.Lifecycle{
		House: "System", StopAbandoned: config.StopAlways, Masking: config.Masking{Replacement: "*"},
		Idle: config.Idle{
			Enabled: true, TimeoutAlert: config.Duration(255 * time.Second), TimeoutClose: config.Duration(45 * time.Second), IncludeNotices: config.Major,
		},
		Async: config.Async{
			Enabled: true, IdleAlert: config.Duration(86400 * time.Second), IdleClose: config.Duration(3600 * time.Second), IdleNotices: config.Major,
		},
	}
	if diff := cmp.Diff(want, a.Lifecycle); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if b := c.Services["b"]; b.Idle.Enabled || b.Async.Enabled || b.Masking.Cards || b.Welcome != "" || b.SurveyURL != "" {
		t.Errorf("what asks for nothing got %+v", b.Lifecycle)
	}
}

func TestLifeIsReadStrictly(t *testing.T) {
	_, err := config.Parse([]byte("[services.a]\nwelcome = \"x\"\n[services.a.idle]\ntimeout = \"1s\"\n[queues.a]\nmembers = [\"*\"]\n"))
	if err == nil || !strings.HasPrefix(err.Error(), `4:1: there is no setting "services.a.idle.timeout"`) {
		t.Errorf("the error is %v", err)
	}
}

func TestLifeFaults(t *testing.T) {
	span := func(d time.Duration) config.Duration { return config.Duration(d) }
	for name, c := range map[string]struct {
		change func(*config.Lifecycle)
		want   string
	}{
		"welcome":       {func(l *config.Lifecycle) { l.Welcome = strings.Repeat("x", 16<<10+1) }, "welcome: "},
		"house":         {func(l *config.Lifecycle) { l.House = strings.Repeat("x", 65) }, "house: "},
		"survey":        {func(l *config.Lifecycle) { l.SurveyURL = "javascript:alert(1)" }, "survey_url: "},
		"cancel":        {func(l *config.Lifecycle) { l.SurveyURL, l.CancelURL = "https://a.example/", "/no" }, "cancel_url: "},
		"cancel alone":  {func(l *config.Lifecycle) { l.CancelURL = "https://a.example/" }, "cancel_url: "},
		"alert":         {func(l *config.Lifecycle) { l.Idle.TimeoutAlert = span(time.Millisecond) }, "idle.timeout_alert: "},
		"second alert":  {func(l *config.Lifecycle) { l.Idle.TimeoutAlert2 = span(-time.Second) }, "idle.timeout_alert2: "},
		"close":         {func(l *config.Lifecycle) { l.Idle.TimeoutClose = span(25 * time.Hour) }, "idle.timeout_close: "},
		"notices":       {func(l *config.Lifecycle) { l.Idle.IncludeNotices = "minor" }, "idle.include_notices: "},
		"async alert":   {func(l *config.Lifecycle) { l.Async.IdleAlert = span(366 * 24 * time.Hour) }, "async.idle_alert: "},
		"async close":   {func(l *config.Lifecycle) { l.Async.IdleClose = span(1) }, "async.idle_close: "},
		"async notices": {func(l *config.Lifecycle) { l.Async.IdleNotices = "none" }, "async.idle_notices: "},
		"abandoned":     {func(l *config.Lifecycle) { l.StopAbandoned = "sometimes" }, "stop_abandoned: "},
		"pattern":       {func(l *config.Lifecycle) { l.Masking.Patterns = []string{"("} }, "masking.patterns: "},
		"empty pattern": {func(l *config.Lifecycle) { l.Masking.Patterns = []string{""} }, "masking.patterns: "},
		"patterns":      {func(l *config.Lifecycle) { l.Masking.Patterns = make([]string, 101) }, "masking.patterns: there are more"},
		"replacement":   {func(l *config.Lifecycle) { l.Masking.Replacement = "**" }, "masking.replacement: "},
		"digit":         {func(l *config.Lifecycle) { l.Masking.Replacement = "0" }, "masking.replacement: "},
		"dash":          {func(l *config.Lifecycle) { l.Masking.Replacement = "-" }, "masking.replacement: "},
		"not ASCII":     {func(l *config.Lifecycle) { l.Masking.Replacement = "•" }, "masking.replacement: "},
		"message":       {func(l *config.Lifecycle) { l.Idle.MessageAlert = strings.Repeat("x", 16<<10+1) }, "idle.message_alert: "},
	} {
		t.Run(name, func(t *testing.T) {
			conf := config.Demo(0)
			s := conf.Services["echo"]
			s.Idle = config.Idle{Enabled: true, TimeoutAlert: span(time.Minute), TimeoutClose: span(time.Minute), IncludeNotices: config.Major}
			s.Async = config.Async{Enabled: true, IdleAlert: span(time.Minute), IdleClose: span(time.Minute), IdleNotices: config.AllNotices}
			conf.Services["echo"] = s
			if err := conf.Validate(); err != nil {
				t.Fatal(err)
			}
			c.change(&s.Lifecycle)
			conf.Services["echo"] = s
			if err := conf.Validate(); err == nil || !strings.HasPrefix(err.Error(), "services.echo."+c.want) {
				t.Errorf("%s: the error is %v, want one beginning with %q", name, err, c.want)
			}
		})
	}
}
