// A plugin that does what its input says, line by line, so that a test can choose any sequence of effects and failures.
//
// The same guest as tests/guests/scripted in Rust, with the same schema, verbs and results.
package main

import (
	"encoding/json"
	"slices"

	sangam "sangam/sdk"
	"sangam/sdk/batch"
	"sangam/sdk/source"
)

// Config holds nothing that matters.
type Config struct {
	Greeting string `json:"greeting,omitempty" doc:"Shown to whoever asks for it."`
	Feed     string `json:"feed,omitempty" doc:"Origin of what the stream feed reads."`
}

var plugin = sangam.New(sangam.About{Name: "scripted", Title: "Scripted"},
	sangam.Action("run", "Do what the input says", run),
	sangam.Action("act", "Do what the input says, and undo what it says", run).UndoneBy("undo"),
	sangam.Action("undo", "Do the undo lines of what is undone", undo),
	sangam.Action("greet", "Greet by name", greet),
	sangam.Action("gather", "Send an id, alone or with others", gather),
	batch.Action("gather", 10, gatherAll),
	source.Poll("feed", "What the feed says", poll).Types("fed.*"),
	source.Webhook("hook", "What a body says", receive).Types("fed.*"),
)

func main() {}

// Script is what to do.
type Script struct {
	_     struct{} `doc:"Lines, done one after another."`
	Lines []Line   `json:"lines"`
	Echo  any      `json:"echo,omitempty" doc:"What the output holds beside the results, as it came."`
	Undo  []Line   `json:"undo,omitempty" doc:"Done by undo, the same way."`
}

// Results has one result for each line that was done.
type Results struct {
	Results  []any  `json:"results"`
	Echo     any    `json:"echo"`
	Greeting string `json:"greeting"`
}

func run(ctx *sangam.Context[Config], script Script) (Results, error) {
	results, err := runLines(ctx, script.Lines)
	return Results{Results: results, Echo: script.Echo, Greeting: ctx.Config.Greeting}, err
}

func runLines(ctx *sangam.Context[Config], lines []Line) ([]any, error) {
	results := []any{}
	for _, line := range lines {
		if len(line.On) > 0 && !slices.Contains(line.On, ctx.Attempt) {
			continue
		}
		if line.Do == Emit {
			ctx.Emit(sangam.NewEvent{Type: line.Key, Data: line.Body})
			continue
		}
		result, err := line.run(ctx, results)
		if err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	return results, nil
}

// Undone is what undo was given, beside its results.
type Undone struct {
	Results []any          `json:"results"`
	Given   map[string]any `json:"given"`
}

func undo(ctx *sangam.Context[Config], undo sangam.Undo[Script, json.RawMessage]) (Undone, error) {
	effects := []map[string]any{}
	for _, effect := range undo.Effects {
		effects = append(effects, map[string]any{
			"name": effect.Name, "key": effect.Key, "state": effect.State, "request": effect.Request, "response": effect.Response,
		})
	}
	results, err := runLines(ctx, undo.Input.Undo)
	return Undone{Results: results, Given: map[string]any{"output": undo.Output, "effects": effects}}, err
}

// Person is someone to greet.
type Person struct {
	_    struct{} `doc:"A person."`
	Name string   `json:"name" minLength:"1" doc:"How they are called."`
	Age  *uint32  `json:"age" doc:"In years."`
}

// Greeting is for a person.
type Greeting struct {
	Greeting string  `json:"greeting"`
	Age      *uint32 `json:"age"`
}

func greet(ctx *sangam.Context[Config], person Person) (Greeting, error) {
	return Greeting{Greeting: ctx.Config.Greeting + " " + person.Name, Age: person.Age}, nil
}
