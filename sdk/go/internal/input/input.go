// Package input makes types of JSON that comes from outside. What does not fit is refused with the path of the field.
package input

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Misfit is JSON that does not fit its type.
type Misfit struct {
	// What was read, such as `input`, and where in it, such as `.lines[2].amount`.
	What, Path string
	Message    string
}

// Error is a sentence: `input.lines[2].amount: a string does not fit int`.
func (m *Misfit) Error() string { return m.What + m.Path + ": " + m.Message }

// Parse reads text into target, passing over members it does not know: what must not be there, schemas say. Numbers keep their digits where the type is `any` (as json.Number).
func Parse(text []byte, what string, target any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	err := decoder.Decode(target)
	if err == nil {
		if _, end := decoder.Token(); end != io.EOF {
			return &Misfit{What: what, Message: "there is more after the end of the JSON"}
		}
		return nil
	}
	var shape *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &shape):
		at := shape.Offset
		if shape.Value == "array" || shape.Value == "object" {
			at-- // it is that of the first byte within
		}
		return &Misfit{What: what, Path: pathAt(text, at), Message: fmt.Sprintf("%s does not fit %s", article(shape.Value), shape.Type)}
	case errors.As(err, &syntax):
		return &Misfit{What: what, Path: pathAt(text, syntax.Offset-1), Message: "not JSON: " + syntax.Error()}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &Misfit{What: what, Path: pathAt(text, int64(len(text))), Message: "not JSON: it ends in the middle"}
	}
	return &Misfit{What: what, Message: strings.TrimPrefix(err.Error(), "json: ")}
}

func article(value string) string {
	switch value {
	case "array", "object":
		return "an " + value
	case "bool":
		return "true or false"
	}
	if number, ok := strings.CutPrefix(value, "number "); ok {
		return "the number " + number
	}
	return "a " + value
}

// pathAt says where in the document an offset is, as `.lines[2].amount`: the value or key that ends there.
func pathAt(text []byte, end int64) string {
	type level struct {
		object bool
		key    string
		hasKey bool
		index  int
	}
	var inside []level
	end = min(end, int64(len(text)))
	for at := int64(0); at < end; at++ {
		switch text[at] {
		case '{':
			inside = append(inside, level{object: true})
		case '[':
			inside = append(inside, level{})
		case '}', ']':
			if len(inside) > 0 {
				inside = inside[:len(inside)-1]
			}
		case ',':
			if last := len(inside) - 1; last >= 0 && inside[last].object {
				inside[last].hasKey = false
			} else if last >= 0 {
				inside[last].index++
			}
		case '"':
			start := at + 1
			for at = start; at < int64(len(text)) && text[at] != '"'; at++ {
				if text[at] == '\\' {
					at++
				}
			}
			if last := len(inside) - 1; last >= 0 && inside[last].object && !inside[last].hasKey {
				if at > int64(len(text)) {
					at = int64(len(text))
				}
				inside[last].key, inside[last].hasKey = string(text[start:at]), true
			}
		}
	}
	var path strings.Builder
	for _, level := range inside {
		switch {
		case !level.object:
			fmt.Fprintf(&path, "[%d]", level.index)
		case level.hasKey:
			path.WriteString("." + level.key)
		}
	}
	return path.String()
}
