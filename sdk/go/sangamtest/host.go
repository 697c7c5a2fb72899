// Package sangamtest runs a connector natively, with plain `go test`: no component and no host, a system that your test scripts.
//
//	host := sangamtest.New(t, plugin, func(sent sangamtest.Sent) sangamtest.Answer {
//		return sangamtest.JSON(201, map[string]any{"id": "m-1"})
//	})
//	host.Config = map[string]any{"base-url": "https://stock.example"}
//	var out Movements
//	err := host.Invoke("take-parts", input, &out)
//
// It keeps between calls what the journal keeps: raise Attempt, and a named write that succeeded is answered without being sent.
// Configuration, input and output are checked against the plugin's schemas, as by a host. Grants are not: `sangam check` does that.
package sangamtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	sangam "sangam/sdk"
	"sangam/sdk/internal/check"
	"sangam/sdk/internal/core"
)

// Host stands in for the host, for one step.
type Host struct {
	// Config is the plugin's configuration; it becomes JSON.
	Config any
	// Event is the CloudEvent of the run, with `data`.
	Event map[string]any
	// Attempt is 1 at first. Raise it to try again.
	Attempt int
	// Since is the start of a first poll, RFC 3339, or empty.
	Since string

	// Sent are the requests that reached the system, of all calls.
	Sent []Sent
	// Lines are those of the log.
	Lines []Line
	// Events are those that succeeded calls brought in, as CloudEvents.
	Events []map[string]any
	// Store is the key-value space.
	Store map[string][]byte

	t       testing.TB
	plugin  *core.Plugin
	system  func(Sent) Answer
	journal map[string]core.Response
	effects []map[string]any
	doneNow map[string]bool
	reads   bool
}

// New makes a host whose requests that function answers.
func New(t testing.TB, plugin *sangam.Plugin, system func(Sent) Answer) *Host {
	t.Helper()
	describable(t, plugin.Core())
	return &Host{
		Config:  map[string]any{},
		Event:   map[string]any{"specversion": "1.0", "id": "1", "source": "/test", "type": "test"},
		Attempt: 1,
		Store:   map[string][]byte{},
		t:       t, plugin: plugin.Core(), system: system,
		journal: map[string]core.Response{},
	}
}

// describable ends the test with the author's mistake, if there is one that the build would tell.
func describable(t testing.TB, plugin *core.Plugin) {
	t.Helper()
	defer func() {
		switch said := recover().(type) {
		case nil:
		case core.Mistake:
			t.Fatal(said)
		default:
			panic(said)
		}
	}()
	plugin.Describe()
}

// Invoke does an action: input becomes JSON, and out, unless it is nil, is read from the output. The error is that of the action, a
// [*sangam.Failure].
func (h *Host) Invoke(action string, input, out any) error {
	h.t.Helper()
	in, output := h.schemas(action)
	text := h.json(input)
	h.check(in, text, "input")
	context := h.around(action, "run-1", Key(""))
	h.reads = false
	var made core.Output
	if err := h.call(func() (failure *core.Failure) {
		made, failure = h.plugin.Invoke((*imports)(h), action, string(text), h.context(context))
		return failure
	}); err != nil {
		return err
	}
	h.check(output, []byte(made.Data), "output")
	h.bring(made.Events)
	h.read(made.Data, out)
	return nil
}

// Result is what became of one run of a batch.
type Result struct {
	// Output is JSON; empty where the run failed.
	Output json.RawMessage
	// Err is the failure of that run, a [*sangam.Failure].
	Err error
}

// InvokeBatch does an action for several runs at once, each with an id and a key of its own; the journal is the batch's. Inputs become JSON.
func (h *Host) InvokeBatch(action string, inputs ...any) []Result {
	h.t.Helper()
	in, output := h.schemas(action)
	invocations := make([]core.Invocation, len(inputs))
	for place, input := range inputs {
		text := h.json(input)
		h.check(in, text, "input")
		run := fmt.Sprintf("run-%d", place+1)
		invocations[place] = core.Invocation{Input: string(text), Context: h.context(h.around(action, run, Key(run)))}
	}
	h.reads, h.doneNow = false, map[string]bool{}
	made := h.plugin.InvokeBatch((*imports)(h), action, invocations)
	results := make([]Result, len(made))
	for place, one := range made {
		if one.Failure != nil {
			results[place].Err = failureOf(one.Failure)
			continue
		}
		h.check(output, []byte(one.Output.Data), "output")
		h.bring(one.Output.Events)
		results[place].Output = json.RawMessage(one.Output.Data)
	}
	return results
}

// Undo does the action that undoes another, which was given input and returned output (nil where it failed), with the writes that
// this host has seen.
func (h *Host) Undo(action string, input, output any) error {
	h.t.Helper()
	effects := append([]map[string]any{}, h.effects...)
	h.journal, h.effects = map[string]core.Response{}, nil
	return h.Invoke(action, map[string]any{"input": input, "output": output, "effects": effects}, nil)
}

// Page is what a poll came to; its events are in [Host].Events.
type Page struct {
	// NextCursor is JSON; empty where the present one is kept.
	NextCursor json.RawMessage
	More       bool
	// SetAside are the reasons for which records could not be made into events.
	SetAside []string
}

// Poll reads the next page of a stream; cursor becomes JSON, nil is the first time.
func (h *Host) Poll(stream string, cursor any, limit int) (Page, error) {
	h.t.Helper()
	var text *string
	if cursor != nil {
		made := string(h.json(cursor))
		text = &made
	}
	h.reads = true
	var page core.Page
	if err := h.call(func() (failure *core.Failure) {
		page, failure = h.plugin.Poll((*imports)(h), stream, text, uint32(limit), h.context(map[string]any{"source": "test", "since": h.since()}))
		return failure
	}); err != nil {
		return Page{}, err
	}
	h.bring(page.Events)
	told := Page{More: page.More}
	if page.NextCursor != nil {
		told.NextCursor = json.RawMessage(*page.NextCursor)
	}
	for _, aside := range page.SetAside {
		told.SetAside = append(told.SetAside, aside.Reason)
	}
	return told, nil
}

// Receive hands a webhook to a stream, and gives the status and body that the sender is answered; the events are in [Host].Events.
func (h *Host) Receive(stream, method, path string, headers map[string]string, body []byte) (status int, reply []byte, err error) {
	h.t.Helper()
	request := core.Inbound{Method: method, Path: path, Body: body}
	for name, value := range headers {
		request.Headers = append(request.Headers, core.Header{Name: name, Value: []byte(value)})
	}
	h.reads = true
	var received core.Received
	if err := h.call(func() (failure *core.Failure) {
		received, failure = h.plugin.Receive((*imports)(h), stream, request, h.context(map[string]any{"source": "test", "since": h.since()}))
		return failure
	}); err != nil {
		return 0, nil, err
	}
	h.bring(received.Events)
	return int(received.Reply.Status), received.Reply.Body, nil
}

// schemas are those of an action's input and output.
func (h *Host) schemas(action string) (in, out map[string]any) {
	h.t.Helper()
	found := slices.IndexFunc(h.plugin.Actions, func(one core.Action) bool { return one.Name == action })
	if found < 0 {
		h.t.Fatalf("%s has no action `%s`", h.plugin.Name, action)
	}
	in, out, _, err := h.plugin.Actions[found].Schemas()
	if err != nil {
		h.t.Fatal(err)
	}
	return in, out
}

func (h *Host) around(action, run, key string) map[string]any {
	return map[string]any{
		"event":           h.Event,
		"run":             map[string]any{"id": run, "root": run, "route": "test"},
		"step":            map[string]any{"name": "test", "uses": h.plugin.Name + "." + action, "round": 0},
		"attempt":         h.Attempt,
		"idempotency_key": key,
	}
}

func (h *Host) since() any {
	if h.Since == "" {
		return nil
	}
	return h.Since
}

func (h *Host) context(members map[string]any) string {
	h.t.Helper()
	var described struct{ Configuration map[string]any }
	h.read(h.plugin.Describe(), &described)
	configuration := h.json(h.Config)
	h.check(described.Configuration, configuration, "configuration")
	members["deadline"], members["configuration"] = "2100-01-01T00:00:00Z", json.RawMessage(configuration)
	return string(h.json(members))
}

// call keeps key-value writes where the call succeeds.
func (h *Host) call(run func() *core.Failure) error {
	before := maps.Clone(h.Store)
	h.doneNow = map[string]bool{}
	failure := run()
	if failure == nil {
		return nil
	}
	h.Store = before
	return failureOf(failure)
}

func (h *Host) bring(events []string) {
	for _, text := range events {
		var event map[string]any
		h.read(text, &event)
		h.Events = append(h.Events, event)
	}
}

func (h *Host) json(value any) []byte {
	h.t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		h.t.Fatal(err)
	}
	return text
}

func (h *Host) read(text string, target any) {
	h.t.Helper()
	if target == nil {
		return
	}
	if err := json.Unmarshal([]byte(text), target); err != nil {
		h.t.Fatalf("%s: %v", text, err)
	}
}

func (h *Host) check(rules map[string]any, text []byte, what string) {
	h.t.Helper()
	if err := check.JSON(rules, text, what); err != nil {
		h.t.Fatalf("the host would refuse this: %v", err)
	}
}

func failureOf(wire *core.Failure) error {
	failure := &sangam.Failure{Kind: sangam.Kind(wire.Case), Reason: wire.Reason, After: milliseconds(wire.AfterMS)}
	if wire.Details != "" {
		if err := json.Unmarshal([]byte(wire.Details), &failure.Details); err != nil {
			panic(fmt.Sprintf("the SDK writes JSON: %v", err))
		}
	}
	return failure
}
