// Package schema makes JSON Schemas (draft 2020-12) of Go types, as encoding/json reads and writes them.
package schema

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Schemer is a type that says itself what its JSON looks like, as a JSON Schema.
type Schemer interface{ JSONSchema() string }

// Enumerated is a type whose values are those few.
type Enumerated interface{ Enum() []string }

// Direction says who makes the JSON.
type Direction bool

const (
	// Read is JSON that a plugin is given: unknown members are refused.
	Read Direction = false
	// Written is JSON that a plugin gives: members are there unless they are left out when empty.
	Written Direction = true
)

// Of gives the schema of a type, and the text of its description (the tag `doc` of a blank field) apart from it. Its error names the
// field that has no schema.
func Of(t reflect.Type, direction Direction) (schema map[string]any, description string, err error) {
	maker := maker{direction: direction, definitions: map[string]any{}, recursive: map[reflect.Type]string{}}
	defer func() {
		if problem := recover(); problem != nil {
			misuse, mine := problem.(misuse)
			if !mine {
				panic(problem)
			}
			schema, err = nil, fmt.Errorf("%s%s", t, string(misuse))
		}
	}()
	schema = maker.of(t, "")
	if len(maker.definitions) > 0 {
		schema["$defs"] = maker.definitions
	}
	if own, ok := schema["description"].(string); ok {
		description = own
		delete(schema, "description")
	}
	return schema, description, nil
}

// misuse is a mistake of the author, told by Of.
type misuse string

type maker struct {
	direction Direction
	// lenient counts the types around that allow unknown members.
	lenient     int
	open        []reflect.Type
	definitions map[string]any
	recursive   map[reflect.Type]string
}

var (
	timeType    = reflect.TypeFor[time.Time]()
	numberType  = reflect.TypeFor[json.Number]()
	rawType     = reflect.TypeFor[json.RawMessage]()
	schemer     = reflect.TypeFor[Schemer]()
	enumerated  = reflect.TypeFor[Enumerated]()
	marshaler   = reflect.TypeFor[json.Marshaler]()
	textual     = reflect.TypeFor[encoding.TextMarshaler]()
	unmarshaler = reflect.TypeFor[json.Unmarshaler]()
)

func (m *maker) of(t reflect.Type, path string) map[string]any {
	switch t {
	case timeType:
		return map[string]any{"type": "string", "format": "date-time"}
	case numberType:
		return map[string]any{"type": "number"}
	case rawType:
		return map[string]any{}
	}
	if t.Kind() == reflect.Pointer {
		return nullable(m.of(t.Elem(), path))
	}
	if has(t, schemer) {
		var own map[string]any
		text := reflect.New(t).Interface().(Schemer).JSONSchema()
		if err := json.Unmarshal([]byte(text), &own); err != nil {
			panic(misuse(fmt.Sprintf("%s: JSONSchema of %s: %v", path, t, err)))
		}
		return own
	}
	if has(t, enumerated) {
		return map[string]any{"type": "string", "enum": reflect.New(t).Interface().(Enumerated).Enum()}
	}
	if has(t, textual) {
		return map[string]any{"type": "string"}
	}
	if has(t, marshaler) || has(t, unmarshaler) {
		return map[string]any{} // it alone knows
	}
	switch t.Kind() {
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float32, reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Int, reflect.Int64, reflect.Int8, reflect.Int16, reflect.Int32:
		return integer(t)
	case reflect.Uint, reflect.Uint64, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uintptr:
		return integer(t)
	case reflect.Interface:
		return map[string]any{}
	case reflect.Slice, reflect.Array:
		return m.list(t, path)
	case reflect.Map:
		if kind := t.Key().Kind(); kind != reflect.String && !has(t.Key(), textual) && (kind < reflect.Int || kind > reflect.Uintptr) {
			panic(misuse(fmt.Sprintf("%s: the keys of %s can't be names in JSON", path, t)))
		}
		return m.orNil(map[string]any{"type": "object", "additionalProperties": m.of(t.Elem(), path+".*")})
	case reflect.Struct:
		return m.object(t, path)
	}
	panic(misuse(fmt.Sprintf("%s: %s has no JSON", path, t)))
}

// integer has the bounds that encoding/json keeps to.
func integer(t reflect.Type) map[string]any {
	schema := map[string]any{"type": "integer"}
	switch t.Kind() {
	case reflect.Int8, reflect.Int16, reflect.Int32:
		bound := int64(1) << (t.Bits() - 1)
		schema["minimum"], schema["maximum"] = -bound, bound-1
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		schema["minimum"], schema["maximum"] = 0, int64(1)<<t.Bits()-1
	case reflect.Uint, reflect.Uint64, reflect.Uintptr:
		schema["minimum"] = 0
	}
	return schema
}

func (m *maker) list(t reflect.Type, path string) map[string]any {
	if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 {
		return m.orNil(map[string]any{"type": "string", "contentEncoding": "base64"})
	}
	schema := map[string]any{"type": "array", "items": m.of(t.Elem(), path+"[]")}
	if t.Kind() == reflect.Array {
		schema["minItems"], schema["maxItems"] = t.Len(), t.Len()
		return schema
	}
	return m.orNil(schema)
}

// orNil allows null in what is written: so encoding/json writes a slice or map that is nil.
func (m *maker) orNil(schema map[string]any) map[string]any {
	if m.direction == Written {
		return nullable(schema)
	}
	return schema
}

func (m *maker) object(t reflect.Type, path string) map[string]any {
	if slices.Contains(m.open, t) {
		// A type within itself can't be spelled out: it becomes a definition.
		name := t.Name()
		m.recursive[t] = name
		return map[string]any{"$ref": "#/$defs/" + name}
	}
	m.open = append(m.open, t)
	schema := map[string]any{"type": "object"}
	properties, required := map[string]any{}, []string{}
	members := m.fields(t)
	closed := m.direction == Read && m.lenient == 0
	for _, field := range members {
		if field.name != "" {
			continue
		}
		if field.doc != "" {
			schema["description"] = field.doc
		}
		closed = closed && !field.lenient
	}
	if closed {
		schema["additionalProperties"] = false
	}
	for _, field := range members {
		if field.name == "" {
			continue
		}
		at := path + "." + field.name
		if field.lenient {
			m.lenient++
		}
		property := m.of(field.typ, at)
		if field.lenient {
			m.lenient--
		}
		if field.optional && m.direction == Written && field.typ.Kind() != reflect.Pointer {
			property = withoutNull(property)
		}
		m.tags(property, field, at)
		if field.quoted {
			property = map[string]any{"type": "string"}
		}
		properties[field.name] = property
		if !field.optional && (m.direction == Written || field.typ.Kind() != reflect.Pointer) {
			required = append(required, field.name)
		}
	}
	schema["properties"] = properties
	if len(required) > 0 {
		schema["required"] = required
	}
	m.open = m.open[:len(m.open)-1]
	if name, ok := m.recursive[t]; ok {
		m.definitions[name] = schema
		return map[string]any{"$ref": "#/$defs/" + name}
	}
	return schema
}

func has(t, method reflect.Type) bool {
	return t.Kind() != reflect.Interface && (t.Implements(method) || (t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(method)))
}

func nullable(schema map[string]any) map[string]any {
	switch kind := schema["type"].(type) {
	case string:
		schema["type"] = []string{kind, "null"}
		if values, ok := schema["enum"].([]string); ok {
			withNull := make([]any, 0, len(values)+1)
			for _, value := range values {
				withNull = append(withNull, value)
			}
			schema["enum"] = append(withNull, nil)
		}
		return schema
	case []string:
		return schema
	}
	if len(schema) == 0 {
		return schema
	}
	return map[string]any{"anyOf": []any{schema, map[string]any{"type": "null"}}}
}

func withoutNull(schema map[string]any) map[string]any {
	if kinds, ok := schema["type"].([]string); ok {
		schema["type"] = strings.TrimSpace(kinds[0])
	}
	return schema
}
