package sangam

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"sangam/sdk/internal/core"
)

// Call is what actions and streams have in common: their way outside. It is a [context.Context], so that it can be handed to what
// wants one; it is never cancelled, since the host ends a call that takes too long.
type Call struct {
	// TraceParent is the W3C Trace Context, where there is one.
	TraceParent string
	// Log writes lines for the people who look at the run. Put data into attributes, never secrets or payloads. The functions of
	// log/slog and log end there too, in a component.
	Log *slog.Logger
	// KV is the plugin's small durable store.
	KV KV

	deadline time.Time
	host     core.Host
}

var _ context.Context = (*Call)(nil)

// NewCall is for the other packages of the SDK.
func NewCall(host core.Host, deadline, traceParent string) Call {
	until, _ := time.Parse(time.RFC3339Nano, deadline)
	return Call{TraceParent: traceParent, Log: slog.New(&logHandler{host: host}), KV: KV{host}, deadline: until, host: host}
}

// Get is a GET request.
func (c *Call) Get(url string) *Request { return newRequest(c.host, "GET", url) }

// Request is a request of any method, in upper case; say next what it is.
func (c *Call) Request(method, url string) *Write { return &Write{newRequest(c.host, method, url)} }

// Deadline is when the host ends the call, on the clock that the plugin sees.
func (c *Call) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

// Done is never closed.
func (c *Call) Done() <-chan struct{} { return nil }

// Err is always nil.
func (c *Call) Err() error { return nil }

// Value finds what the SDK's own packages look for.
func (c *Call) Value(key any) any {
	if key == (core.HostKey{}) {
		return c.host
	}
	return nil
}

// Context is what an action knows of its call, and its way outside.
//
// The same call may come again after a crash or a failure. Then the input is the same, clocks and random numbers come out the
// same, writes that succeeded are answered from the journal, and reads are live.
type Context[C any] struct {
	Call
	// Event is the event that the run handles.
	Event Event
	Run   Run
	Step  Step
	// Attempt counts from 1. Where a system has no idempotency keys, look for your own marker before writing unless FirstAttempt.
	Attempt int
	// IdempotencyKey is a UUID, the same on every attempt of the step. Keys of single writes: Key.
	IdempotencyKey string
	// Config is the plugin's configuration.
	Config C

	emitted []NewEvent
}

// Run is the run that a call belongs to.
type Run struct {
	// ID is a UUIDv7.
	ID string `json:"id"`
	// Root is the first run of its line; its own ID where it is no replay.
	Root string `json:"root"`
	// Route is the name of the route.
	Route string `json:"route"`
}

// Step is the step that a call belongs to.
type Step struct {
	// Name in the route.
	Name string `json:"name"`
	// Uses is `plugin.action`.
	Uses string `json:"uses"`
	// Round of a step with `repeat`.
	Round int `json:"round"`
}

// FirstAttempt says whether nothing of this step can have been written before: a replay counts attempts from 1 again, but shares the
// journal, and the doubts, of the runs before it.
func (c *Context[C]) FirstAttempt() bool {
	return c.Attempt <= 1 && (c.Run.Root == "" || c.Run.Root == c.Run.ID)
}

// Key is the idempotency key of the write of that name, before it is sent: a UUID of 36 ASCII characters, for systems that want it
// in the URL or the body. Others get it as the header Idempotency-Key without asking.
func (c *Context[C]) Key(name string) string { return c.host.Key(name) }

// Post is a POST request; say next what it is called.
func (c *Context[C]) Post(url string) *Write { return c.Request("POST", url) }

// Put is a PUT request; say next what it is called.
func (c *Context[C]) Put(url string) *Write { return c.Request("PUT", url) }

// Patch is a PATCH request; say next what it is called.
func (c *Context[C]) Patch(url string) *Write { return c.Request("PATCH", url) }

// Delete is a DELETE request; say next what it is called.
func (c *Context[C]) Delete(url string) *Write { return c.Request("DELETE", url) }

// Emit brings in an event, with the success of the step or not at all. Its type must be granted with `emits`.
func (c *Context[C]) Emit(event NewEvent) { c.emitted = append(c.emitted, event) }

func newContext[C any](host core.Host, text string) (*Context[C], error) {
	var wire struct {
		Event          Event           `json:"event"`
		Run            Run             `json:"run"`
		Step           Step            `json:"step"`
		Attempt        int             `json:"attempt"`
		IdempotencyKey string          `json:"idempotency_key"`
		Deadline       string          `json:"deadline"`
		TraceParent    string          `json:"traceparent"`
		Configuration  json.RawMessage `json:"configuration"`
	}
	if err := parse([]byte(text), "context", &wire); err != nil {
		return nil, err
	}
	ctx := &Context[C]{
		Call:  NewCall(host, wire.Deadline, wire.TraceParent),
		Event: wire.Event, Run: wire.Run, Step: wire.Step, Attempt: wire.Attempt, IdempotencyKey: wire.IdempotencyKey,
	}
	return ctx, ParseConfiguration(wire.Configuration, &ctx.Config)
}

// ParseConfiguration is for the other packages of the SDK.
func ParseConfiguration(text []byte, config any) error {
	if len(text) == 0 {
		text = []byte("{}")
	}
	return parse(text, "configuration", config)
}
