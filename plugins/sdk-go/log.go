package plugin

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Debugf says something for the person who looks for a mistake in the plugin.
func Debugf(format string, args ...any) { say("debug", fmt.Sprintf(format, args...)) }

// Infof says something for the person who reads the run.
func Infof(format string, args ...any) { say("info", fmt.Sprintf(format, args...)) }

// Warnf says something that this person should notice.
func Warnf(format string, args ...any) { say("warn", fmt.Sprintf(format, args...)) }

// Errorf says that something is wrong. What refuses or delays a join is a finding, a verdict or an error instead.
func Errorf(format string, args ...any) { say("error", fmt.Sprintf(format, args...)) }

// Now is the time: the host's, recorded with the run. Go's own clock is a virtual one.
func Now() time.Time { return now() }

// Logger is the log as a slog.Logger. It makes a component half a megabyte larger.
func Logger() *slog.Logger { return slog.New(handler{}) }

// handler writes records as: message key=value group.key="a value".
type handler struct{ attrs, prefix string }

func (h handler) Enabled(context.Context, slog.Level) bool { return true }

func (h handler) Handle(_ context.Context, r slog.Record) error {
	var line strings.Builder
	line.WriteString(r.Message)
	line.WriteString(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		appendAttr(&line, h.prefix, a)
		return true
	})
	level := "error"
	switch {
	case r.Level < slog.LevelInfo:
		level = "debug"
	case r.Level < slog.LevelWarn:
		level = "info"
	case r.Level < slog.LevelError:
		level = "warn"
	}
	say(level, line.String())
	return nil
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var more strings.Builder
	for _, a := range attrs {
		appendAttr(&more, h.prefix, a)
	}
	return handler{h.attrs + more.String(), h.prefix}
}

func (h handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return handler{h.attrs, h.prefix + name + "."}
}

func appendAttr(line *strings.Builder, prefix string, a slog.Attr) {
	value := a.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, inner := range value.Group() {
			appendAttr(line, prefix, inner)
		}
		return
	}
	if a.Equal(slog.Attr{}) {
		return
	}
	text := value.String()
	if text == "" || strings.ContainsAny(text, " \t\n\"=") {
		text = fmt.Sprintf("%q", text)
	}
	line.WriteString(" " + prefix + a.Key + "=" + text)
}
