package sangamtest

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"net/url"

	"sangam/sdk/internal/core"
)

// Sent is a request that left the connector.
type Sent struct {
	// Method is in upper case.
	Method string
	// URL is with its query.
	URL string
	// Headers are as the connector set them, their names in lower case.
	Headers map[string]string
	Body    []byte
	// Name is that of the write.
	Name string
	// Key is the idempotency key of a named write.
	Key string
	// ReadOnly is marked as only reading.
	ReadOnly bool
}

// JSON is the body as JSON; nil where it is none.
func (s Sent) JSON() (value any) {
	if json.Unmarshal(s.Body, &value) != nil {
		return nil
	}
	return value
}

// Text is the body as text.
func (s Sent) Text() string { return string(s.Body) }

// Path is the URL without scheme, host and query, as it was encoded.
func (s Sent) Path() string {
	parsed, err := url.Parse(s.URL)
	if err != nil {
		return s.URL
	}
	return parsed.EscapedPath()
}

// Query is a value of the query, decoded.
func (s Sent) Query(name string) string {
	parsed, err := url.Parse(s.URL)
	if err != nil {
		return ""
	}
	return parsed.Query().Get(name)
}

// Line is one of the log.
type Line struct {
	// Level is trace, debug, info, warn or error.
	Level   string
	Message string
	Fields  map[string]string
}

// Answer is what the scripted system says: make one with JSON, Text, Reply or NoAnswer.
type Answer struct {
	response core.Response
	err      *core.SendError
}

// JSON is an answer with a JSON body.
func JSON(status int, body any) Answer {
	text, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("the answer of a test can't be made into JSON: %v", err))
	}
	return Reply(status, map[string]string{"content-type": "application/json"}, text)
}

// Text is an answer with a body of text.
func Text(status int, body string) Answer {
	return Reply(status, map[string]string{"content-type": "text/plain"}, []byte(body))
}

// Reply is an answer with headers.
func Reply(status int, headers map[string]string, body []byte) Answer {
	answer := Answer{response: core.Response{Status: uint16(status), Body: body}}
	for name, value := range maps.All(headers) {
		answer.response.Headers = append(answer.response.Headers, core.Header{Name: name, Value: []byte(value)})
	}
	return answer
}

// NoAnswer breaks the connection: nobody knows whether the request was done.
func NoAnswer(why string) Answer {
	return Answer{err: &core.SendError{Case: core.Connection, Text: why}}
}

// Denied is the host's refusal of a request that was not granted.
func Denied(why string) Answer {
	return Answer{err: &core.SendError{Case: core.Denied, Text: why}}
}

// Key is the idempotency key that Host gives to the write of that name: 36 characters, like a real one.
func Key(name string) string {
	hash := fnv.New64a()
	hash.Write([]byte(name))
	return fmt.Sprintf("00000000-0000-5000-8000-%012x", hash.Sum64()&0xffff_ffff_ffff)
}
