package sangam

import "encoding/json"

// Undo is the input of an action that undoes another: what the other was given, what it returned and what it wrote.
type Undo[In, Out any] struct {
	_ struct{} `unknown:"allowed"`
	// Input is that of the step that is undone.
	Input In `json:"input"`
	// Output is nil where the step failed. Then writes may have been done all the same: see Effects.
	Output *Out `json:"output" unknown:"allowed"`
	// Effects are its writes, in the order they were sent.
	Effects []Effect `json:"effects,omitempty" unknown:"allowed"`
}

// Effect is the last write of that name; nil if there is none.
func (u *Undo[In, Out]) Effect(name string) *Effect {
	for i := len(u.Effects) - 1; i >= 0; i-- {
		if u.Effects[i].Name != nil && *u.Effects[i].Name == name {
			return &u.Effects[i]
		}
	}
	return nil
}

// Effect is one write of a step.
type Effect struct {
	// Name is nil where the write had none.
	Name *string `json:"name"`
	// Key is its idempotency key.
	Key   *string     `json:"key"`
	State EffectState `json:"state"`
	// Request is what was sent: `method`, `url`, `headers`, `body`.
	Request json.RawMessage `json:"request,omitempty"`
	// Response is what was answered, null where nothing was: `status`, `headers`, `body`.
	Response json.RawMessage `json:"response,omitempty"`
}

// EffectState is what is known of a write.
type EffectState string

const (
	// EffectIntent is recorded, and perhaps sent.
	EffectIntent EffectState = "intent"
	// EffectDone succeeded.
	EffectDone EffectState = "done"
	// EffectFailed was refused, and did nothing.
	EffectFailed EffectState = "failed"
	// EffectInDoubt is without a complete answer: perhaps it was done.
	EffectInDoubt EffectState = "in-doubt"
)

// Enum is all of them.
func (EffectState) Enum() []string {
	return []string{"intent", "done", "failed", "in-doubt"}
}
