package schema

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// field is a member of a JSON object.
type field struct {
	name     string
	typ      reflect.Type
	tag      reflect.StructTag
	optional bool
	// quoted is a number or boolean written as text (the option `string` of the tag `json`).
	quoted bool
	// lenient allows unknown members, of the field or, where it has no name, of the struct itself.
	lenient bool
	// doc describes the struct, from a field named `_`, which has no name here.
	doc string
}

// fields gives the members of a struct, those of embedded structs among them. As in encoding/json, an outer member hides one of the
// same name further in.
func (m *maker) fields(t reflect.Type) []field {
	var own, embedded []field
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Name == "_" {
			own = append(own, field{doc: f.Tag.Get("doc"), lenient: lenient(f.Tag)})
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" && options == "" {
			continue
		}
		if f.Anonymous && name == "" {
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct && inner != timeType && !has(inner, schemer) {
				for _, member := range m.fields(inner) {
					if member.name != "" {
						member.optional = member.optional || f.Type.Kind() == reflect.Pointer
						embedded = append(embedded, member)
					}
				}
				continue
			}
		}
		if !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		has := func(option string) bool {
			return strings.Contains(","+options+",", ","+option+",")
		}
		own = append(own, field{name: name, typ: f.Type, tag: f.Tag, optional: has("omitempty") || has("omitzero"), quoted: has("string"), lenient: lenient(f.Tag)})
	}
	hidden := map[string]bool{}
	for _, f := range own {
		hidden[f.name] = true
	}
	for _, f := range embedded {
		if !hidden[f.name] {
			hidden[f.name] = true
			own = append(own, f)
		}
	}
	return own
}

// lenient says whether a tag allows members that the type does not know.
func lenient(tag reflect.StructTag) bool { return tag.Get("unknown") == "allowed" }

// known are the tags that this package reads, and how.
var known = []struct{ tag, keyword, kind string }{
	{"doc", "description", "text"},
	{"format", "format", "text"},
	{"pattern", "pattern", "text"},
	{"minLength", "minLength", "count"},
	{"maxLength", "maxLength", "count"},
	{"minItems", "minItems", "count"},
	{"maxItems", "maxItems", "count"},
	{"minimum", "minimum", "number"},
	{"maximum", "maximum", "number"},
	{"exclusiveMinimum", "exclusiveMinimum", "number"},
	{"exclusiveMaximum", "exclusiveMaximum", "number"},
	{"default", "default", "value"},
	{"example", "examples", "values"},
	{"personal", "x-personal", "mark"},
	{"subject", "x-subject", "mark"},
}

// tags adds what a field's tags say to its schema.
func (m *maker) tags(schema map[string]any, f field, path string) {
	for _, known := range known {
		text, ok := f.tag.Lookup(known.tag)
		if !ok {
			continue
		}
		switch known.kind {
		case "text":
			schema[known.keyword] = text
		case "count":
			count, err := strconv.ParseUint(text, 10, 31)
			if err != nil {
				panic(misuse(fmt.Sprintf("%s: the tag %s:%q is no count", path, known.tag, text)))
			}
			schema[known.keyword] = count
		case "number":
			if _, err := strconv.ParseFloat(text, 64); err != nil {
				panic(misuse(fmt.Sprintf("%s: the tag %s:%q is no number", path, known.tag, text)))
			}
			schema[known.keyword] = json.Number(text)
		case "value":
			schema[known.keyword] = value(text, f, path, known.tag)
		case "values":
			schema[known.keyword] = []any{value(text, f, path, known.tag)}
		case "mark":
			mark, err := strconv.ParseBool(text)
			if err != nil {
				panic(misuse(fmt.Sprintf("%s: the tag %s:%q is neither true nor false", path, known.tag, text)))
			}
			schema[known.keyword] = mark
		}
	}
	if text, ok := f.tag.Lookup("enum"); ok {
		values := []any{}
		for _, one := range strings.Split(text, ",") {
			values = append(values, value(one, f, path, "enum"))
		}
		if f.typ.Kind() == reflect.Pointer {
			values = append(values, nil)
		}
		schema["enum"] = values
	}
}

// value is text as a value of the field: text itself where the field is text, else JSON.
func value(text string, f field, path, tag string) any {
	t := f.typ
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if (t.Kind() == reflect.String && t != numberType) || has(t, textual) {
		return text
	}
	target := reflect.New(t)
	if err := json.Unmarshal([]byte(text), target.Interface()); err != nil {
		panic(misuse(fmt.Sprintf("%s: the tag %s:%q is no %s", path, tag, text, t)))
	}
	return json.RawMessage(text)
}
