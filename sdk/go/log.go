package sangam

import (
	"context"
	"log/slog"

	"sangam/sdk/internal/core"
)

// logHandler makes lines of the contract's log of records. Attributes of groups are named `group.name`.
type logHandler struct {
	host   core.Host
	fields []core.Field
	prefix string
}

// LevelTrace is every detail, below slog's own levels.
const LevelTrace = slog.LevelDebug - 4

// Enabled lets everything pass: the administrator's bound is on the size.
func (h *logHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h *logHandler) Handle(_ context.Context, record slog.Record) error {
	level := core.Trace
	switch {
	case record.Level >= slog.LevelError:
		level = core.Error
	case record.Level >= slog.LevelWarn:
		level = core.Warn
	case record.Level >= slog.LevelInfo:
		level = core.Info
	case record.Level >= slog.LevelDebug:
		level = core.Debug
	}
	fields := h.fields[:len(h.fields):len(h.fields)]
	record.Attrs(func(attr slog.Attr) bool {
		fields = appendField(fields, h.prefix, attr)
		return true
	})
	h.host.Log(level, record.Message, fields)
	return nil
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.fields = h.fields[:len(h.fields):len(h.fields)]
	for _, attr := range attrs {
		with.fields = appendField(with.fields, h.prefix, attr)
	}
	return &with
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	within := *h
	within.prefix += name + "."
	return &within
}

func appendField(fields []core.Field, prefix string, attr slog.Attr) []core.Field {
	value := attr.Value.Resolve()
	if value.Kind() != slog.KindGroup {
		if attr.Key == "" {
			return fields
		}
		return append(fields, core.Field{Name: prefix + attr.Key, Value: value.String()})
	}
	if attr.Key != "" {
		prefix += attr.Key + "."
	}
	for _, member := range value.Group() {
		fields = appendField(fields, prefix, member)
	}
	return fields
}
