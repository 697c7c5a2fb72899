// Package batch is for actions that take several runs at once: many runs with few requests.
//
//	var plugin = sangam.New(sangam.About{Name: "crm", Title: "A CRM"},
//		sangam.Action("keep-contact", "Keep a contact", keepContact),
//		batch.Action("keep-contact", 100, keepContacts), // up to 100 runs in one call
//	)
//
// Where a run goes alone the host calls the single form.
package batch

import (
	"fmt"
	"reflect"

	sangam "sangam/sdk"
	"sangam/sdk/internal/core"
)

// Context is what the runs of a batch have in common, and its way outside. Requests belong to the batch as a whole.
//
// Of KV a batch has Set, SetJSON and Delete, and nothing that reads: a key that was read would have to be held for each of the runs alone.
type Context[C any] struct {
	sangam.Call
	// Config is the plugin's configuration, the same for all of them.
	Config C

	host core.Host
}

// Key is the idempotency key of the batch's write of that name, before it is sent.
func (c *Context[C]) Key(name string) string { return c.host.Key(name) }

// Post is a POST request; say next what it is called.
func (c *Context[C]) Post(url string) *sangam.Write { return c.Request("POST", url) }

// Put is a PUT request; say next what it is called.
func (c *Context[C]) Put(url string) *sangam.Write { return c.Request("PUT", url) }

// Patch is a PATCH request; say next what it is called.
func (c *Context[C]) Patch(url string) *sangam.Write { return c.Request("PATCH", url) }

// Delete is a DELETE request; say next what it is called.
func (c *Context[C]) Delete(url string) *sangam.Write { return c.Request("DELETE", url) }

// Item is one run's part of a batch.
type Item[C, In any] struct {
	// Ctx is what the action knows of its run. Its Attempt is above 1 where the batch, or the run, was tried before; its IdempotencyKey
	// is the same in every batch, and so the marker of the run's record. Lines of its Log are kept with that run alone. Emit brings an
	// event in with the success of that run.
	Ctx *sangam.Context[C]
	// Input is what the action is given.
	Input In
	// Place is its position among the runs of the call.
	Place int
}

// Result is what becomes of one run.
type Result[Out any] struct {
	Out Out
	// Err is the failure of that run alone: see [sangam.Failure].
	Err error
}

// ResultOf makes a result of what a function gives: batch.ResultOf(kept(record)).
func ResultOf[Out any](out Out, err error) Result[Out] { return Result[Out]{out, err} }

// Part is the form of an action that takes several runs at once, declared.
type Part[C any] struct{ batch core.Batch }

// Entry is for sangam.New.
func (p *Part[C]) Entry() core.Entry[C] { return core.Entry[C]{Batch: &p.batch} }

// Action declares that an action of the plugin takes several runs at once: its name, the most runs of one call (2 to 1000), and the function
// that does them.
//
// The function is given the items whose input fits and gives one result for each, in their order; its error is the failure of all. Requests
// belong to the batch: name them as ever. The same batch comes again after a crash and while a write is in doubt, so what is sent must
// follow from the items alone.
func Action[C, In, Out any](name string, most int, run func(*Context[C], []Item[C, In]) ([]Result[Out], error)) *Part[C] {
	return &Part[C]{core.Batch{Action: name, Most: most, In: reflect.TypeFor[In](), Out: reflect.TypeFor[Out](),
		Invoke: func(host core.Host, invocations []core.Invocation) []core.Result {
			return invoke(host, invocations, run)
		},
	}}
}

func invoke[C, In, Out any](host core.Host, invocations []core.Invocation, run func(*Context[C], []Item[C, In]) ([]Result[Out], error)) []core.Result {
	outcomes := make([]core.Result, len(invocations))
	var items []Item[C, In]
	var shared Context[C]
	for place, invocation := range invocations {
		ctx, in, err := sangam.ReadInvocation[C, In](host, invocation.Input, invocation.Context)
		if err != nil {
			outcomes[place].Failure = sangam.WireFailure(err)
			continue
		}
		if len(items) == 0 {
			shared = Context[C]{ctx.Call, ctx.Config, host}
		}
		ctx.Log = ctx.Log.With("invocation", place) // the host goes by the field
		items = append(items, Item[C, In]{ctx, in, place})
	}
	if len(items) == 0 {
		return outcomes
	}
	results, err := run(&shared, items)
	if err == nil && len(results) != len(items) {
		err = fmt.Errorf("a batch gives one result for each item, but of %d items it gave %d", len(items), len(results))
	}
	for i, item := range items {
		outcome := &outcomes[item.Place]
		failed := err
		if failed == nil {
			failed = results[i].Err
		}
		if failed == nil {
			outcome.Output, failed = item.Ctx.WireOutput(results[i].Out)
		}
		if failed != nil {
			outcome.Failure = sangam.WireFailure(failed)
		}
	}
	return outcomes
}
