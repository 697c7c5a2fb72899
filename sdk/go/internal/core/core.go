// Package core is what the parts of the SDK share: the host as a plugin sees it, and the plugin as the host sees it.
//
// Both sides exist twice, in a component and in a native test, so they are an interface and plain values.
package core

import "reflect"

// Host is what the contract lets a plugin import.
type Host interface {
	Send(Request) (Response, *SendError)
	Key(name string) string

	Get(key string) ([]byte, bool, *StoreError)
	Set(key string, value []byte) *StoreError
	Delete(key string) *StoreError
	Increment(key string, delta int64) (int64, *StoreError)
	// CompareAndSwap expects the key to be absent where expected is nil.
	CompareAndSwap(key string, expected []byte, value []byte) (bool, *StoreError)
	List(prefix, cursor string, limit uint32) (keys []string, next string, err *StoreError)

	Log(level Level, message string, fields []Field)
}

// Header is one name and its value.
type Header struct {
	Name  string
	Value []byte
}

// Request is a request of the interface `http`.
type Request struct {
	Method, URL string
	Headers     []Header
	Body        []byte
	// TimeoutMS is 0 where there is none.
	TimeoutMS uint64
	// Name is empty where there is none.
	Name     string
	ReadOnly bool
}

// Writes says whether the host takes the request for a write.
func (r *Request) Writes() bool {
	return !r.ReadOnly && r.Method != "GET" && r.Method != "HEAD" && r.Method != "OPTIONS"
}

// Response is a complete answer.
type Response struct {
	Status  uint16
	Headers []Header
	Body    []byte
}

// SendCase is a case of the variant `error` of `http`, in its order.
type SendCase uint8

// Why there is no answer.
const (
	Denied SendCase = iota
	InvalidRequest
	NameUsed
	Timeout
	Connection
	ResponseTooLarge
	TooManyCalls
	Unavailable
	Other
)

// SendError is why there is no answer. Number holds the limit of ResponseTooLarge and TooManyCalls, Text all else.
type SendError struct {
	Case   SendCase
	Text   string
	Number uint64
}

// StoreCase is a case of the variant `error` of `key-value`, in its order.
type StoreCase uint8

// Why an operation on the store failed.
const (
	NotClaimed StoreCase = iota
	TooLarge
	Full
	Invalid
	StoreUnavailable
	StoreOther
)

// StoreError is why an operation on the store failed.
type StoreError struct {
	Case StoreCase
	Text string
}

// Level of a line of the log, in the order of the contract.
type Level uint8

// From every detail to what went wrong.
const (
	Trace Level = iota
	Debug
	Info
	Warn
	Error
)

// Field is data of a line of the log.
type Field struct{ Name, Value string }

// FailureCase is a case of the variant `failure`, in its order.
type FailureCase uint8

// Again, or never.
const (
	Retry FailureCase = iota
	RateLimited
	Unauthorized
	Rejected
)

// Failure is how a call ends that does not succeed.
type Failure struct {
	Case   FailureCase
	Reason string
	// AfterMS counts where HasAfter.
	AfterMS  uint64
	HasAfter bool
	// Details is JSON, or empty.
	Details string
}

// Output is what an action leaves behind, as JSON texts.
type Output struct {
	Data   string
	Events []string
}

// Invocation is one run's part of a batch, as JSON texts.
type Invocation struct{ Input, Context string }

// Result is what becomes of one run of a batch.
type Result struct {
	Output Output
	// Failure is nil where it succeeded.
	Failure *Failure
}

// SetAside is a record that can't be made into an event, as JSON text.
type SetAside struct{ Data, Reason string }

// Page is one page of a stream, as JSON texts.
type Page struct {
	Events []string
	// NextCursor is nil where the present one is kept.
	NextCursor *string
	More       bool
	SetAside   []SetAside
}

// Inbound is a request that came in at a webhook.
type Inbound struct {
	Method, Path string
	Headers      []Header
	Body         []byte
}

// Received is what a webhook comes to.
type Received struct {
	Events []string
	Reply  Response
}

// Plugin is a plugin as the host sees it.
type Plugin struct {
	// Name is what failures and tests call it.
	Name     string
	Describe func() string
	Actions  []Action
	Batches  []Batch
	Streams  []Stream
}

// Entry is a part of a plugin with the configuration C: an action, what takes several runs of one at once, or a stream.
type Entry[C any] struct {
	Action *Action
	Batch  *Batch
	Stream *Stream
}

// Action is one operation of a plugin.
type Action struct {
	Name, Title, Description string
	Idempotent               bool
	Undo                     string
	// Schemas are made only to describe the plugin: an instance lives for one call.
	Schemas func() (input, output map[string]any, description string, err error)
	Invoke  func(host Host, input, context string) (Output, *Failure)
	// In and Out are the types that the schemas are made of.
	In, Out reflect.Type
}

// Batch is the form of an action that takes several runs at once.
type Batch struct {
	// Action is its name.
	Action  string
	Most    int
	In, Out reflect.Type
	// Invoke gives a result for each.
	Invoke func(host Host, invocations []Invocation) []Result
}

// Stream brings events in.
type Stream struct {
	Name, Title string
	Types       []string
	// Poll and Receive are nil where the stream can't.
	Poll    func(host Host, cursor *string, limit uint32, context string) (Page, *Failure)
	Receive func(host Host, request Inbound, context string) (Received, *Failure)
}

// Invoke does the action of that name.
func (p *Plugin) Invoke(host Host, action, input, context string) (Output, *Failure) {
	for i := range p.Actions {
		if p.Actions[i].Name == action {
			return p.Actions[i].Invoke(host, input, context)
		}
	}
	return Output{}, &Failure{Case: Rejected, Reason: p.Name + " has no action `" + action + "`"}
}

// InvokeBatch does the action of that name for several runs.
func (p *Plugin) InvokeBatch(host Host, action string, invocations []Invocation) []Result {
	for i := range p.Batches {
		if p.Batches[i].Action == action {
			return p.Batches[i].Invoke(host, invocations)
		}
	}
	failure := &Failure{Case: Rejected, Reason: p.Name + " takes one run of `" + action + "` at a time"}
	results := make([]Result, len(invocations))
	for i := range results {
		results[i].Failure = failure
	}
	return results
}

// Poll reads the next page of the stream of that name.
func (p *Plugin) Poll(host Host, stream string, cursor *string, limit uint32, context string) (Page, *Failure) {
	for i := range p.Streams {
		if p.Streams[i].Name == stream && p.Streams[i].Poll != nil {
			return p.Streams[i].Poll(host, cursor, limit, context)
		}
	}
	return Page{}, &Failure{Case: Rejected, Reason: p.Name + " has no stream `" + stream + "` to poll"}
}

// Receive hands a webhook to the stream of that name.
func (p *Plugin) Receive(host Host, stream string, request Inbound, context string) (Received, *Failure) {
	for i := range p.Streams {
		if p.Streams[i].Name == stream && p.Streams[i].Receive != nil {
			return p.Streams[i].Receive(host, request, context)
		}
	}
	return Received{}, &Failure{Case: Rejected, Reason: p.Name + " has no stream `" + stream + "` to receive"}
}

// exported is the plugin of this component. The functions that a component exports have no receiver, so there can be one only.
var exported *Plugin

// Export makes a plugin that of this component.
func Export(plugin *Plugin) {
	if exported != nil {
		panic(Mistake("sangam: a component has one plugin, but sangam.New was called twice"))
	}
	exported = plugin
}

// Exported is the plugin of this component.
func Exported() *Plugin {
	if exported == nil {
		panic(Mistake("sangam: this component has no plugin: keep the result of sangam.New in a package variable of main"))
	}
	return exported
}

// Mistake is what an author has to mend: a plugin that can't say what it is panics with it.
type Mistake string

// Error is the mistake itself.
func (m Mistake) Error() string { return string(m) }

// Component is the host of this component; nil in a native test.
var Component Host

// Sentence is what an error says, where the package nethttp knows better than the error itself.
var Sentence func(error) string

// HostKey finds the host among a context's values.
type HostKey struct{}
