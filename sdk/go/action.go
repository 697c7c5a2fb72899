package sangam

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"

	"sangam/sdk/internal/core"
	"sangam/sdk/internal/input"
	"sangam/sdk/internal/schema"
)

// ActionPart is an action, declared; what more there is to say of it.
type ActionPart[C any] struct{ action core.Action }

// Action declares an action: its name (lower-case letters, digits, hyphens), its title, and the function that does it.
//
// The types of the function are the action's schemas: In is read by encoding/json and refuses unknown members, Out is what later
// steps see. To undo another action, let In be an [Undo]. An error ends the call as a failure: see [Failure]. A panic counts as one
// that may be tried again.
//
// Fields say more in tags: `json` as always (`omitempty` or a pointer makes a field optional; a pointer takes null too), `doc` for
// people, and `enum:"a,b"`, `minLength`, `maxLength`, `pattern`, `format`, `minimum`, `maximum`, `exclusiveMinimum`,
// `exclusiveMaximum`, `minItems`, `maxItems`, `default`, `example` as in JSON Schema. `personal:"true"` marks personal data,
// `subject:"true"` what identifies the person. A field `_ struct{}` describes the whole: the action, where the type is In.
func Action[C, In, Out any](name, title string, run func(*Context[C], In) (Out, error)) *ActionPart[C] {
	return &ActionPart[C]{core.Action{
		Name: name, Title: title,
		Schemas: func() (in, out map[string]any, description string, err error) {
			if in, description, err = schema.Of(reflect.TypeFor[In](), schema.Read); err != nil {
				return nil, nil, "", errors.New("input " + err.Error())
			}
			if out, _, err = schema.Of(reflect.TypeFor[Out](), schema.Written); err != nil {
				return nil, nil, "", errors.New("output " + err.Error())
			}
			return in, out, description, nil
		},
		Invoke: func(host core.Host, text, around string) (core.Output, *core.Failure) {
			output, err := invoke(host, text, around, run)
			if err != nil {
				return core.Output{}, WireFailure(err)
			}
			return output, nil
		},
		In: reflect.TypeFor[In](), Out: reflect.TypeFor[Out](),
	}}
}

// UndoneBy names the action that undoes this one. Its input is an [Undo].
func (a *ActionPart[C]) UndoneBy(action string) *ActionPart[C] {
	a.action.Undo = action
	return a
}

// Idempotent says that doing it twice is the same as doing it once, by the nature of the system.
func (a *ActionPart[C]) Idempotent() *ActionPart[C] {
	a.action.Idempotent = true
	return a
}

// Describe says what it does, in place of the description of its input.
func (a *ActionPart[C]) Describe(text string) *ActionPart[C] {
	a.action.Description = text
	return a
}

// Entry is for New.
func (a *ActionPart[C]) Entry() core.Entry[C] { return core.Entry[C]{Action: &a.action} }

func invoke[C, In, Out any](host core.Host, text, around string, run func(*Context[C], In) (Out, error)) (core.Output, error) {
	ctx, in, err := ReadInvocation[C, In](host, text, around)
	if err != nil {
		return core.Output{}, err
	}
	out, err := run(ctx, in)
	if err != nil {
		return core.Output{}, err
	}
	return ctx.WireOutput(out)
}

// ReadInvocation is for the other packages of the SDK.
func ReadInvocation[C, In any](host core.Host, text, around string) (ctx *Context[C], in In, err error) {
	if ctx, err = newContext[C](host, around); err != nil {
		return nil, in, err
	}
	return ctx, in, parse([]byte(text), "input", &in)
}

// WireOutput is for the other packages of the SDK.
func (c *Context[C]) WireOutput(out any) (core.Output, error) {
	data, err := encode(out)
	if err != nil {
		return core.Output{}, Rejectf("the output can't be made into JSON: %w", err)
	}
	events, err := EventTexts(c.emitted)
	return core.Output{Data: string(data), Events: events}, err
}

// parse reads JSON; what does not fit is rejected, since it will not fit the next time either.
func parse(text []byte, what string, target any) error {
	err := input.Parse(text, what, target)
	var misfit *input.Misfit
	if errors.As(err, &misfit) {
		return Rejectf("%w", err).WithDetails(map[string]string{"path": misfit.Path})
	}
	return err
}

// encode makes JSON without escaping < and >, which nobody reads as HTML here.
func encode(value any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), nil
}
