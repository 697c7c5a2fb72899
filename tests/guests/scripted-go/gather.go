package main

import (
	"slices"
	"strconv"

	sangam "sangam/sdk"
	"sangam/sdk/batch"
)

// Gather is an id to be sent, alone or with those of others.
type Gather struct {
	_    struct{} `doc:"An id to be sent."`
	URL  string   `json:"url" doc:"Where to."`
	ID   uint32   `json:"id"`
	Kind string   `json:"kind,omitempty" doc:"How this one fails once it was sent: retry, rate-limited, unauthorized or rejected; not at all if empty."`
	On   []int    `json:"on,omitempty" doc:"Attempts on which it does; all if empty."`
	Emit string   `json:"emit,omitempty" doc:"Type of an event that it brings in; none if empty."`
}

// Gathered was sent.
type Gathered struct {
	ID      uint32 `json:"id"`
	With    int    `json:"with" doc:"How many were sent together."`
	Key     string `json:"key" doc:"Of its step."`
	Attempt int    `json:"attempt"`
}

func gather(ctx *sangam.Context[Config], input Gather) (Gathered, error) {
	if err := ctx.Post(input.URL).Name("one").JSON(map[string]any{"ids": []uint32{input.ID}}).Into(nil); err != nil {
		return Gathered{}, err
	}
	return gathered(ctx, input, 1)
}

func gatherAll(ctx *batch.Context[Config], items []batch.Item[Config, Gather]) (results []batch.Result[Gathered], err error) {
	var ids []uint32
	for _, item := range items {
		ids = append(ids, item.Input.ID)
		item.Ctx.Log.Info("sends", "id", item.Input.ID)
		if err := ctx.KV.Set("sent/"+strconv.Itoa(int(item.Input.ID)), []byte("yes")); err != nil {
			return nil, err
		}
	}
	if err := ctx.Post(items[0].Input.URL).Name("all").JSON(map[string]any{"ids": ids}).Into(nil); err != nil {
		return nil, err
	}
	for _, item := range items {
		results = append(results, batch.ResultOf(gathered(item.Ctx, item.Input, len(items))))
	}
	return results, nil
}

func gathered(ctx *sangam.Context[Config], input Gather, together int) (Gathered, error) {
	if input.Kind != "" && (len(input.On) == 0 || slices.Contains(input.On, ctx.Attempt)) {
		switch input.Kind {
		case "retry":
			return Gathered{}, sangam.Retryf("as it was told")
		case "rate-limited":
			return Gathered{}, sangam.RateLimitedf("as it was told")
		case "unauthorized":
			return Gathered{}, sangam.Unauthorizedf("as it was told")
		default:
			return Gathered{}, sangam.Rejectf("as it was told")
		}
	}
	if input.Emit != "" {
		ctx.Emit(sangam.NewEvent{Type: input.Emit, Data: map[string]any{"id": input.ID}})
	}
	return Gathered{ID: input.ID, With: together, Key: ctx.IdempotencyKey, Attempt: ctx.Attempt}, nil
}
