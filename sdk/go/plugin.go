package sangam

import (
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"slices"

	"sangam/sdk/internal/core"
	"sangam/sdk/internal/schema"
)

// About is what a plugin says of itself.
type About struct {
	// Name has lower-case letters, digits and hyphens, and begins with a letter; at most 64.
	Name string
	// Version of the plugin, such as 1.0.2 (semantic versioning); 0.1.0 where it is empty.
	Version string
	// Title is for people, such as `QuickBooks Online`.
	Title string
	// Description says what the plugin is good for, in a few sentences.
	Description string
	// Hosts are the origins the plugin expects to reach. `${base-url}` stands for the configuration value of that name.
	Hosts []string
	// ReadOnly lists requests that only read although their method is a writing one: `POST /crm/*/search`, where `*` is one segment.
	// They count as reads where the administrator lists them too.
	ReadOnly []string
	// Emits lists the types of events that actions bring in, with `*` for any characters. An event of a type that the administrator
	// does not list under `emits` too fails the action.
	Emits []string
}

// Part is something that a plugin does, with C as its configuration: an [Action], one of several runs at once (package batch), or a stream
// (package source).
type Part[C any] interface{ Entry() core.Entry[C] }

// Plugin is what [New] makes: the plugin of a component, and what a test calls.
type Plugin struct{ core *core.Plugin }

// Core is for the other packages of the SDK.
func (p *Plugin) Core() *core.Plugin { return p.core }

// Descriptor is what the build embeds in the component and hosts check: JSON under the published schema descriptor.schema.json.
func (p *Plugin) Descriptor() string { return p.core.Describe() }

// New makes a plugin of its parts. A component has one: keep it in a variable of the package main.
//
//	var plugin = sangam.New(sangam.About{Name: "warehouse", Title: "Warehouse"},
//		sangam.Action("take-parts", "Take parts", takeParts),
//	)
//
//	func main() {} // nothing to start: the host calls the actions
func New[C any](about About, parts ...Part[C]) *Plugin {
	plugin := &core.Plugin{Name: about.Name}
	for _, part := range parts {
		entry := part.Entry()
		if entry.Action != nil {
			plugin.Actions = append(plugin.Actions, *entry.Action)
		}
		if entry.Batch != nil {
			plugin.Batches = append(plugin.Batches, *entry.Batch)
		}
		if entry.Stream != nil {
			plugin.Streams = add(plugin.Streams, *entry.Stream)
		}
	}
	plugin.Describe = func() string { return describe(about, plugin, reflect.TypeFor[C]()) }
	if runtime.GOOS == "wasip1" {
		core.Export(plugin)
	}
	return &Plugin{plugin}
}

// add joins what is declared in two parts, how a stream is polled and how its webhook is received.
func add(streams []core.Stream, stream core.Stream) []core.Stream {
	at := slices.IndexFunc(streams, func(other core.Stream) bool { return other.Name == stream.Name })
	if at < 0 {
		return append(streams, stream)
	}
	if stream.Poll != nil {
		streams[at].Poll = stream.Poll
	}
	if stream.Receive != nil {
		streams[at].Receive = stream.Receive
	}
	streams[at].Types = append(streams[at].Types, stream.Types...)
	return streams
}

type descriptor struct {
	Name          string         `json:"name"`
	Version       string         `json:"version"`
	Title         string         `json:"title"`
	Description   string         `json:"description,omitempty"`
	Configuration map[string]any `json:"configuration"`
	Hosts         []string       `json:"hosts,omitempty"`
	ReadOnly      []string       `json:"read_only,omitempty"`
	Emits         []string       `json:"emits,omitempty"`
	Actions       []actionEntry  `json:"actions,omitempty"`
	Streams       []streamEntry  `json:"streams,omitempty"`
}

type actionEntry struct {
	Name        string         `json:"name"`
	Title       string         `json:"title"`
	Description string         `json:"description,omitempty"`
	Input       map[string]any `json:"input"`
	Output      map[string]any `json:"output"`
	Idempotent  bool           `json:"idempotent,omitempty"`
	Undo        string         `json:"undo,omitempty"`
	Batch       int            `json:"batch,omitempty"`
}

type streamEntry struct {
	Name    string   `json:"name"`
	Title   string   `json:"title"`
	Poll    bool     `json:"poll"`
	Receive bool     `json:"receive"`
	Types   []string `json:"types,omitempty"`
}

// describe panics where the author has made a mistake: a plugin that can't say what it is does not get as far as a host.
func describe(about About, plugin *core.Plugin, config reflect.Type) string {
	d := descriptor{Name: about.Name, Version: about.Version, Title: about.Title, Description: about.Description,
		Hosts: about.Hosts, ReadOnly: about.ReadOnly, Emits: about.Emits}
	if d.Version == "" {
		d.Version = "0.1.0"
	}
	configuration, description, err := schema.Of(config, schema.Read)
	mustMake("the configuration", err)
	if description != "" {
		configuration["description"] = description
	}
	d.Configuration = configuration
	names := map[string]bool{}
	for i := range plugin.Actions {
		action := &plugin.Actions[i]
		if names[action.Name] {
			panic(mistake("action names are unique, but `%s` is declared twice", action.Name))
		}
		names[action.Name] = true
		input, output, description, err := action.Schemas()
		mustMake("action `"+action.Name+"`", err)
		if action.Description != "" {
			description = action.Description
		}
		d.Actions = append(d.Actions, actionEntry{Name: action.Name, Title: action.Title, Description: description,
			Input: input, Output: output, Idempotent: action.Idempotent, Undo: action.Undo})
	}
	for _, action := range d.Actions {
		if action.Undo != "" && !names[action.Undo] {
			panic(mistake("`%s` is undone by `%s`, which is not declared", action.Name, action.Undo))
		}
	}
	for i := range plugin.Batches {
		describeBatch(d.Actions, plugin.Actions, &plugin.Batches[i])
	}
	for _, stream := range plugin.Streams {
		d.Streams = append(d.Streams, streamEntry{Name: stream.Name, Title: stream.Title,
			Poll: stream.Poll != nil, Receive: stream.Receive != nil, Types: stream.Types})
	}
	text, err := json.Marshal(d)
	mustMake("the descriptor", err)
	return string(text)
}

func describeBatch(entries []actionEntry, actions []core.Action, batch *core.Batch) {
	at := slices.IndexFunc(actions, func(action core.Action) bool { return action.Name == batch.Action })
	if at < 0 {
		panic(mistake("a batch is of `%s`, which is not declared", batch.Action))
	}
	if action := &actions[at]; action.In != batch.In || action.Out != batch.Out {
		panic(mistake("the batch of `%s` is of %v and %v, the action of %v and %v", batch.Action, batch.In, batch.Out, action.In, action.Out))
	}
	if entries[at].Batch != 0 {
		panic(mistake("the batch of `%s` is declared twice", batch.Action))
	}
	if batch.Most < 2 || batch.Most > 1000 {
		panic(mistake("the batch of `%s` takes 2 to 1000 runs at most, not %d", batch.Action, batch.Most))
	}
	entries[at].Batch = batch.Most
}

func mustMake(what string, err error) {
	if err != nil {
		panic(mistake("%s can't be described: %v", what, err))
	}
}

func mistake(format string, a ...any) core.Mistake {
	return core.Mistake("sangam: " + fmt.Sprintf(format, a...))
}
