package main

import (
	"encoding/json"
	"time"

	sangam "sangam/sdk"
	"sangam/sdk/source"
)

// record of the feed. What it says becomes an event, or is set aside, or has an effect.
type record struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Time string `json:"time"`
	Data any    `json:"data"`
	// Bad says why it can't be made into an event.
	Bad *string `json:"bad"`
	// Count is a key that is counted up.
	Count *string `json:"count"`
	// Write is a URL that is written to, which a stream may not.
	Write *string `json:"write"`
}

func poll(ctx *source.Context[Config], asked source.Asked[int64]) (source.Page[int64], error) {
	page := source.Page[int64]{}
	request := ctx.Get(ctx.Config.Feed+"/feed").Query("limit", asked.Limit)
	if asked.Cursor != nil {
		request = request.Query("cursor", *asked.Cursor)
	}
	if ctx.Since != "" {
		request = request.Query("since", ctx.Since)
	}
	var answer struct {
		Records []record `json:"records"`
		Next    int64    `json:"next"`
		More    bool     `json:"more"`
	}
	if err := request.Into(&answer); err != nil {
		return page, err
	}
	ctx.Log.Info("a page", "records", len(answer.Records))
	page.NextCursor, page.More = &answer.Next, answer.More
	for _, record := range answer.Records {
		if record.Bad != nil {
			page.SetAside = append(page.SetAside, source.SetAside{Record: record, Reason: *record.Bad})
			continue
		}
		if record.Count != nil {
			if _, err := ctx.KV.Increment(*record.Count, 1); err != nil {
				return page, err
			}
		}
		event := sangam.NewEvent{Type: record.Type, ID: record.ID, Data: record.Data}
		if record.Time != "" {
			at, err := time.Parse(time.RFC3339, record.Time)
			if err != nil {
				return page, sangam.Rejectf("the time of record %s: %w", record.ID, err)
			}
			event.Time = at
		}
		if record.Write != nil {
			event.Data = written(ctx, *record.Write)
		}
		page.Events = append(page.Events, event)
	}
	return page, nil
}

func written(ctx *source.Context[Config], url string) map[string]any {
	response, err := ctx.Request("POST", url).Name("w").Send()
	if err != nil {
		return map[string]any{"refused": sangam.AsFailure(err).Reason}
	}
	return map[string]any{"status": response.Status}
}

// told is the body of a webhook.
type told struct {
	Events []struct {
		Type string `json:"type"`
		ID   string `json:"id"`
		Data any    `json:"data"`
	} `json:"events"`
	// Count is a key that is counted up.
	Count *string `json:"count"`
	// Fail is how it fails instead.
	Fail string `json:"fail"`
	// Status of the answer.
	Status int `json:"status"`
}

func receive(ctx *source.Context[Config], request *source.Inbound) (source.Received, error) {
	var told told
	if err := request.Into(&told); err != nil {
		return source.Received{}, err
	}
	var count *int64
	if told.Count != nil {
		sum, err := ctx.KV.Increment(*told.Count, 1)
		if err != nil {
			return source.Received{}, err
		}
		count = &sum
	}
	switch told.Fail {
	case "":
	case "rejected":
		return source.Received{}, sangam.Rejectf("no such thing: ü")
	default:
		return source.Received{}, sangam.Retryf("not now")
	}
	received := source.Received{}
	for _, event := range told.Events {
		received.Events = append(received.Events, sangam.NewEvent{Type: event.Type, ID: event.ID, Data: event.Data})
	}
	body, err := json.Marshal(map[string]any{
		"method": request.Method, "path": request.Path, "topic": request.Header("x-topic"), "source": ctx.Source,
		"greeting": ctx.Config.Greeting, "count": count,
	})
	received.Reply = source.Reply{Status: told.Status, Body: body, Headers: map[string]string{"content-type": "application/json", "x-seen": "yes"}}
	return received, err
}
