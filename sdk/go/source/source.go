// Package source is for the streams of a plugin: what brings events in. A plugin may have actions as well.
//
//	var plugin = sangam.New(sangam.About{Name: "hr", Title: "HR"},
//		source.Poll("leave", "Approved leave", pollLeave).Types("leave.approved"),
//	)
//
// Streams may only read: a write is refused. Key-value writes are committed together with the events and the cursor.
package source

import (
	"encoding/json"

	sangam "sangam/sdk"
	"sangam/sdk/internal/core"
	"sangam/sdk/internal/input"
)

// Context is what a stream knows of its call, and its way outside.
type Context[C any] struct {
	sangam.Call
	// Source is the source's name.
	Source string
	// Since is where the first poll starts, RFC 3339; empty where it does not say.
	Since string
	// Config is the plugin's configuration.
	Config C
}

// Post is a POST that only reads, such as a search. The administrator has to agree: list it in [sangam.About].ReadOnly.
func (c *Context[C]) Post(url string) *sangam.Request { return c.Request("POST", url).ReadOnly() }

// Asked is what a poll is asked for.
type Asked[Cursor any] struct {
	// Cursor is where to start; nil the first time: then start at the context's Since.
	Cursor *Cursor
	// Limit is the most events wanted.
	Limit int
}

// Page is one page of a stream.
type Page[Cursor any] struct {
	// Events, oldest first. Give each an ID made of the record and its version, and a Time.
	Events []sangam.NewEvent
	// NextCursor is where the next poll starts; kept only together with the events. nil keeps the present one.
	NextCursor *Cursor
	// More says that there is more now: poll again at once.
	More bool
	// SetAside are records that can't be made into events.
	SetAside []SetAside
}

// SetAside is a record that can't be made into an event. It is kept with its reason, shown, and stops nothing.
type SetAside struct {
	// Record is as it came; it becomes JSON.
	Record any
	// Reason says what is wrong with it.
	Reason string
}

// StreamPart is a stream, declared; what more there is to say of it.
type StreamPart[C any] struct{ stream core.Stream }

// Types are the types of the events that the stream brings in.
func (s *StreamPart[C]) Types(types ...string) *StreamPart[C] {
	s.stream.Types = append(s.stream.Types, types...)
	return s
}

// Entry is for sangam.New.
func (s *StreamPart[C]) Entry() core.Entry[C] { return core.Entry[C]{Stream: &s.stream} }

// Poll declares a stream that is read page by page: its name (lower-case letters, digits, hyphens), its title, and the function that
// reads the next page. The cursor is a type of yours, kept as JSON.
func Poll[C, Cursor any](name, title string, read func(*Context[C], Asked[Cursor]) (Page[Cursor], error)) *StreamPart[C] {
	return &StreamPart[C]{core.Stream{Name: name, Title: title,
		Poll: func(host core.Host, cursor *string, limit uint32, around string) (core.Page, *core.Failure) {
			page, err := poll(host, cursor, limit, around, read)
			if err != nil {
				return core.Page{}, sangam.WireFailure(err)
			}
			return page, nil
		},
	}}
}

func poll[C, Cursor any](host core.Host, cursor *string, limit uint32, around string,
	read func(*Context[C], Asked[Cursor]) (Page[Cursor], error)) (core.Page, error) {
	ctx, err := newContext[C](host, around)
	if err != nil {
		return core.Page{}, err
	}
	asked := Asked[Cursor]{Limit: int(limit)}
	if cursor != nil {
		asked.Cursor = new(Cursor)
		if err := input.Parse([]byte(*cursor), "cursor", asked.Cursor); err != nil {
			return core.Page{}, sangam.Rejectf("%w", err)
		}
	}
	page, err := read(ctx, asked)
	if err != nil {
		return core.Page{}, err
	}
	wire := core.Page{More: page.More}
	if wire.Events, err = sangam.EventTexts(page.Events); err != nil {
		return core.Page{}, err
	}
	if page.NextCursor != nil {
		text, err := json.Marshal(page.NextCursor)
		if err != nil {
			return core.Page{}, sangam.Rejectf("the cursor can't be made into JSON: %w", err)
		}
		next := string(text)
		wire.NextCursor = &next
	}
	for _, aside := range page.SetAside {
		record, err := json.Marshal(aside.Record)
		if err != nil {
			return core.Page{}, sangam.Rejectf("a record set aside can't be made into JSON: %w", err)
		}
		wire.SetAside = append(wire.SetAside, core.SetAside{Data: string(record), Reason: aside.Reason})
	}
	return wire, nil
}

func newContext[C any](host core.Host, around string) (*Context[C], error) {
	var wire struct {
		Source        string          `json:"source"`
		Since         string          `json:"since"`
		Deadline      string          `json:"deadline"`
		TraceParent   string          `json:"traceparent"`
		Configuration json.RawMessage `json:"configuration"`
	}
	if err := input.Parse([]byte(around), "context", &wire); err != nil {
		return nil, sangam.Rejectf("%w", err)
	}
	ctx := &Context[C]{Call: sangam.NewCall(host, wire.Deadline, wire.TraceParent), Source: wire.Source, Since: wire.Since}
	return ctx, sangam.ParseConfiguration(wire.Configuration, &ctx.Config)
}
