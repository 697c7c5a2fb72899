package main

import (
	"bytes"
	"encoding/json"
	"hash/maphash"
	"io"
	"net/http"
	"time"

	sangam "sangam/sdk"
	"sangam/sdk/nethttp"
)

// Verb is what a line does.
type Verb string

// Emit is done by the caller of the line.
const Emit Verb = "emit"

// Enum is all verbs.
func (Verb) Enum() []string {
	return []string{"write", "read", "key", "get", "set", "delete", "increment", "swap", "list", "sleep", "fail", "trap", "log", "emit",
		"clock", "random", "outside", "attempt", "fetch"}
}

// Line is one line.
type Line struct {
	_        struct{} `doc:"One line."`
	Do       Verb     `json:"do" doc:"What to do."`
	On       []int    `json:"on,omitempty" doc:"Attempts on which to do it; all if empty."`
	URL      string   `json:"url,omitempty" doc:"Of write, read, fetch."`
	Method   *string  `json:"method" doc:"Of write, fetch; POST if absent."`
	Name     *string  `json:"name" doc:"Of write, fetch (absent: unnamed) and key."`
	Body     any      `json:"body,omitempty" doc:"Of write, fetch, sent as JSON; data of emit."`
	Whatever bool     `json:"whatever,omitempty" doc:"Of write, fetch: whether any answer or error is a result instead of a failure."`
	Key      string   `json:"key,omitempty" doc:"Of key-value lines; text of fail and log; type of emit."`
	Value    string   `json:"value,omitempty" doc:"Of set, swap."`
	Expected *string  `json:"expected" doc:"Of swap."`
	Amount   int64    `json:"amount,omitempty" doc:"Of increment; milliseconds of sleep."`
	Kind     string   `json:"kind,omitempty" doc:"Of fail: retry, rate-limited, unauthorized or rejected."`
}

func (line Line) run(ctx *sangam.Context[Config], results []any) (any, error) {
	switch line.Do {
	case "write":
		return line.write(ctx)
	case "read":
		var answer any
		err := ctx.Get(line.URL).Into(&answer)
		return answer, err
	case "fetch":
		return line.fetch(ctx)
	case "key":
		return ctx.Key(line.name()), nil
	case "get":
		value, err := ctx.KV.Get(line.Key)
		if err != nil || value == nil {
			return nil, err
		}
		return string(value), nil
	case "set":
		return nil, ctx.KV.Set(line.Key, []byte(line.Value))
	case "delete":
		return nil, ctx.KV.Delete(line.Key)
	case "increment":
		return ctx.KV.Increment(line.Key, line.Amount)
	case "swap":
		var expected []byte
		if line.Expected != nil {
			expected = []byte(*line.Expected)
		}
		return ctx.KV.CompareAndSwap(line.Key, expected, []byte(line.Value))
	case "list":
		keys, _, err := ctx.KV.List(line.Key, "", 1000)
		return keys, err
	case "sleep":
		time.Sleep(time.Duration(max(line.Amount, -line.Amount)) * time.Millisecond)
		return nil, nil
	case "fail":
		return nil, line.failure(results)
	case "trap":
		panic("the script says so")
	case "log":
		ctx.Log.Info(line.Key, "attempt", ctx.Attempt)
		return nil, nil
	case "clock":
		return time.Now().UnixMicro(), nil
	case "random":
		return maphash.String(maphash.MakeSeed(), ""), nil // what Go seeds its maps with
	case "outside":
		return outside(), nil
	case "attempt":
		return ctx.Attempt, nil
	}
	return nil, nil
}

func (line Line) name() string {
	if line.Name == nil {
		return ""
	}
	return *line.Name
}

func (line Line) method() string {
	if line.Method == nil {
		return "POST"
	}
	return *line.Method
}

func (line Line) write(ctx *sangam.Context[Config]) (any, error) {
	write := ctx.Request(line.method(), line.URL)
	request := write.Unnamed()
	if line.Name != nil {
		request = write.Name(*line.Name)
	}
	response, err := request.JSON(line.Body).Send()
	switch {
	case line.Whatever && err != nil:
		failure := sangam.AsFailure(err)
		return map[string]any{"failure": failure.Kind.String() + ": " + failure.Reason}, nil
	case line.Whatever:
		return map[string]any{"status": response.Status}, nil
	case err != nil:
		return nil, err
	}
	if err := response.OK(); err != nil {
		return nil, err
	}
	var answer any
	if response.Into(&answer) != nil {
		return nil, nil
	}
	return answer, nil
}

// fetch is write with Go's usual client.
func (line Line) fetch(ctx *sangam.Context[Config]) (any, error) {
	body := []byte{}
	if line.Body != nil {
		var err error
		if body, err = json.Marshal(line.Body); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, line.method(), line.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if line.Body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if line.Name != nil {
		request.Header.Set(nethttp.NameHeader, *line.Name)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil && line.Whatever {
		failure := sangam.AsFailure(err)
		return map[string]any{"failure": failure.Kind.String() + ": " + failure.Reason}, nil
	}
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if err := nethttp.OK(response); err != nil && !line.Whatever {
		return nil, err
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	var answer any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&answer) != nil {
		answer = nil
	}
	return map[string]any{"status": response.StatusCode, "body": answer}, nil
}

func (line Line) failure(results []any) error {
	make := sangam.Retryf
	switch line.Kind {
	case "rate-limited":
		make = sangam.RateLimitedf
	case "unauthorized":
		make = sangam.Unauthorizedf
	case "rejected":
		make = sangam.Rejectf
	}
	after := time.Duration(max(0, line.Amount)) * time.Millisecond
	return make("%s", line.Key).WithAfter(after).WithDetails(map[string]any{"results": results})
}
