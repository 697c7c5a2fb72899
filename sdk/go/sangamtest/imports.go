package sangamtest

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"sangam/sdk/internal/core"
)

// imports is the host as the plugin sees it.
type imports Host

var _ core.Host = (*imports)(nil)

func (h *imports) Send(request core.Request) (core.Response, *core.SendError) {
	sent := Sent{Method: request.Method, URL: request.URL, Headers: map[string]string{}, Body: request.Body, Name: request.Name, ReadOnly: request.ReadOnly}
	for _, header := range request.Headers {
		sent.Headers[strings.ToLower(header.Name)] = string(header.Value)
	}
	writes := request.Writes()
	if writes && h.reads {
		return core.Response{}, &core.SendError{Case: core.Denied, Text: "streams may only read"}
	}
	named := writes && request.Name != ""
	if named {
		sent.Key = Key(request.Name)
		if h.doneNow[request.Name] {
			return core.Response{}, &core.SendError{Case: core.NameUsed, Text: request.Name}
		}
		if recorded, ok := h.journal[request.Name]; ok && h.Attempt > 1 {
			h.doneNow[request.Name] = true
			return recorded, nil
		}
	}
	answer := h.system(sent)
	h.Sent = append(h.Sent, sent)
	if writes {
		h.record(sent, answer)
	}
	if answer.err != nil {
		return core.Response{}, answer.err
	}
	if named && answer.response.Status >= 200 && answer.response.Status <= 299 {
		h.doneNow[request.Name] = true
		h.journal[request.Name] = answer.response
	}
	return answer.response, nil
}

// record keeps a write for the undo, as the journal would show it.
func (h *imports) record(sent Sent, answer Answer) {
	effect := map[string]any{"name": nil, "key": nil, "request": map[string]any{"method": sent.Method, "url": sent.URL, "body": string(sent.Body)}}
	if sent.Name != "" {
		effect["name"], effect["key"] = sent.Name, sent.Key
		h.effects = slices.DeleteFunc(h.effects, func(other map[string]any) bool { return other["name"] == sent.Name })
	}
	status := answer.response.Status
	switch {
	case answer.err != nil || status == 408 || status >= 500:
		effect["state"] = "in-doubt"
	case status >= 200 && status <= 299:
		effect["state"] = "done"
	default:
		effect["state"] = "failed"
	}
	if answer.err == nil {
		effect["response"] = map[string]any{"status": status, "body": string(answer.response.Body)}
	}
	h.effects = append(h.effects, effect)
}

func (h *imports) Key(name string) string { return Key(name) }

func (h *imports) Get(key string) ([]byte, bool, *core.StoreError) {
	value, ok := h.Store[key]
	return slices.Clone(value), ok, nil
}

func (h *imports) Set(key string, value []byte) *core.StoreError {
	h.Store[key] = append([]byte{}, value...)
	return nil
}

func (h *imports) Delete(key string) *core.StoreError {
	delete(h.Store, key)
	return nil
}

func (h *imports) Increment(key string, delta int64) (int64, *core.StoreError) {
	present := int64(0)
	if value, ok := h.Store[key]; ok {
		number, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil {
			return 0, &core.StoreError{Case: core.Invalid, Text: "not a number"}
		}
		present = number
	}
	h.Store[key] = strconv.AppendInt(nil, present+delta, 10)
	return present + delta, nil
}

func (h *imports) CompareAndSwap(key string, expected, value []byte) (bool, *core.StoreError) {
	present, ok := h.Store[key]
	if ok != (expected != nil) || ok && string(present) != string(expected) {
		return false, nil
	}
	return true, h.Set(key, value)
}

func (h *imports) List(prefix, cursor string, limit uint32) ([]string, string, *core.StoreError) {
	keys := []string{}
	for _, key := range slices.Sorted(maps.Keys(h.Store)) {
		if !strings.HasPrefix(key, prefix) || cursor != "" && key <= cursor {
			continue
		}
		if len(keys) == int(min(max(limit, 1), 1000)) {
			return keys, keys[len(keys)-1], nil
		}
		keys = append(keys, key)
	}
	return keys, "", nil
}

func (h *imports) Log(level core.Level, message string, fields []core.Field) {
	line := Line{Level: [...]string{"trace", "debug", "info", "warn", "error"}[level], Message: message, Fields: map[string]string{}}
	for _, field := range fields {
		line.Fields[field.Name] = field.Value
	}
	h.Lines = append(h.Lines, line)
}

func milliseconds(count uint64) time.Duration { return time.Duration(count) * time.Millisecond }
