package source

import (
	"strings"

	sangam "sangam/sdk"
	"sangam/sdk/internal/core"
	"sangam/sdk/internal/input"
)

// Inbound is a request that came in at `POST /hooks/SOURCE`. The host has verified it already.
type Inbound struct {
	// Method is in upper case.
	Method string
	// Path is with the query, as they came.
	Path string
	// Body is as it came.
	Body []byte

	headers []core.Header
}

// Header is the first header of that name, or nothing.
func (i *Inbound) Header(name string) string {
	for _, header := range i.headers {
		if strings.EqualFold(header.Name, name) {
			return string(header.Value)
		}
	}
	return ""
}

// Into reads the body's JSON into a type of yours. What does not fit is rejected, with the path of the field.
func (i *Inbound) Into(target any) error {
	if err := input.Parse(i.Body, "body", target); err != nil {
		return sangam.Rejectf("%w", err)
	}
	return nil
}

// Received is what a webhook comes to.
type Received struct {
	// Events are accepted before the sender is answered.
	Events []sangam.NewEvent
	// Reply is what the sender is answered; an empty 200 where it says nothing.
	Reply Reply
}

// Reply is what the sender of a webhook is answered, once the events are durable.
type Reply struct {
	// Status is 200 where it is 0.
	Status  int
	Headers map[string]string
	Body    []byte
}

// Webhook declares a stream that a system sends to: its name, its title, and the function that turns a request into events. A stream
// may be polled as well: declare both under one name.
func Webhook[C any](name, title string, receive func(*Context[C], *Inbound) (Received, error)) *StreamPart[C] {
	return &StreamPart[C]{core.Stream{Name: name, Title: title,
		Receive: func(host core.Host, request core.Inbound, around string) (core.Received, *core.Failure) {
			received, err := take(host, request, around, receive)
			if err != nil {
				return core.Received{}, sangam.WireFailure(err)
			}
			return received, nil
		},
	}}
}

func take[C any](host core.Host, request core.Inbound, around string, receive func(*Context[C], *Inbound) (Received, error)) (core.Received, error) {
	ctx, err := newContext[C](host, around)
	if err != nil {
		return core.Received{}, err
	}
	received, err := receive(ctx, &Inbound{Method: request.Method, Path: request.Path, Body: request.Body, headers: request.Headers})
	if err != nil {
		return core.Received{}, err
	}
	reply := core.Response{Status: uint16(received.Reply.Status), Body: received.Reply.Body}
	if reply.Status == 0 {
		reply.Status = 200
	}
	for name, value := range received.Reply.Headers {
		reply.Headers = append(reply.Headers, core.Header{Name: name, Value: []byte(value)})
	}
	events, err := sangam.EventTexts(received.Events)
	return core.Received{Events: events, Reply: reply}, err
}
