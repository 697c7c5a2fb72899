package sangam

import (
	"encoding/json"
	"maps"
	"time"
)

// Event is an event that was accepted: a CloudEvent 1.0. Its data stay text until they are asked for.
type Event struct {
	// ID is unique within its source.
	ID string
	// Source is where it comes from.
	Source string
	// Type is such as `job.completed`.
	Type string
	// Subject is what it is about, where it says so.
	Subject string
	// Time is when it happened; zero where it does not say.
	Time time.Time
	// Attributes are all others, `datacontenttype` among them.
	Attributes map[string]any
	// Data is JSON as it came in, with all digits; nil where there is none.
	Data json.RawMessage
}

// UnmarshalJSON reads the structured form.
func (e *Event) UnmarshalJSON(text []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return err
	}
	known := map[string]any{"id": &e.ID, "source": &e.Source, "type": &e.Type, "subject": &e.Subject, "time": &e.Time}
	e.Attributes = map[string]any{}
	for name, value := range members {
		if name == "data" {
			e.Data = value
		} else if target, ok := known[name]; ok {
			if err := json.Unmarshal(value, target); err != nil {
				return err
			}
		} else {
			var attribute any
			if err := json.Unmarshal(value, &attribute); err != nil {
				return err
			}
			e.Attributes[name] = attribute
		}
	}
	return nil
}

// Into reads the data into a type of yours; members it does not know are passed over. Without data it is JSON null.
func (e *Event) Into(target any) error {
	data := []byte(e.Data)
	if data == nil {
		data = []byte("null")
	}
	return parse(data, "event.data", target)
}

// NewEvent is an event to bring in. The host sets its source.
type NewEvent struct {
	// Type is such as `invoice.created`.
	Type string
	// Data becomes JSON.
	Data any
	// ID is unique within the source. In a stream take it from the record and its version, so that seeing it again brings in nothing
	// twice; an action may leave it to the host.
	ID string
	// Subject is what the event is about.
	Subject string
	// Time is when it happened.
	Time time.Time
	// Attributes are extension attributes of CloudEvents: lower-case letters and digits.
	Attributes map[string]any
}

// EventTexts is for the other packages of the SDK.
func EventTexts(events []NewEvent) ([]string, error) {
	texts := make([]string, 0, len(events))
	for _, event := range events {
		members := map[string]any{}
		maps.Copy(members, event.Attributes)
		members["specversion"], members["type"], members["data"] = "1.0", event.Type, event.Data
		if event.ID != "" {
			members["id"] = event.ID
		}
		if event.Subject != "" {
			members["subject"] = event.Subject
		}
		if !event.Time.IsZero() {
			members["time"] = event.Time.Format(time.RFC3339Nano)
		}
		text, err := encode(members)
		if err != nil {
			return nil, Rejectf("the data of an event `%s` can't be made into JSON: %w", event.Type, err)
		}
		texts = append(texts, string(text))
	}
	return texts, nil
}
