// Package check compares JSON with a schema, in native tests. It is apart from the package that makes schemas, since what it stands on
// would make every component larger and slower to start.
package check

import (
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"regexp"
	"strings"
	"unicode/utf8"
)

// JSON compares JSON with a schema that schema.Of made, as the host does before it calls a plugin; it gives the first misfit. Of the
// keywords that JSONSchema methods bring in it knows those that schema.Of makes.
func JSON(schema map[string]any, text []byte, what string) error {
	// Through JSON, so that all numbers and lists have one type.
	plain, err := json.Marshal(schema)
	if err != nil {
		return err
	}
	root, err := decode(plain)
	if err != nil {
		return err
	}
	value, err := decode(text)
	if err != nil {
		return fmt.Errorf("%s: not JSON: %w", what, err)
	}
	checker := checker{root: root}
	return checker.check(root, value, what)
}

func decode(text []byte) (value any, err error) {
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	err = decoder.Decode(&value)
	return value, err
}

type checker struct{ root any }

func (c *checker) check(schema, value any, at string) error {
	rules, ok := schema.(map[string]any)
	if !ok {
		if schema == false {
			return fmt.Errorf("%s: nothing is allowed here", at)
		}
		return nil
	}
	if ref, ok := rules["$ref"].(string); ok {
		definitions, _ := c.root.(map[string]any)["$defs"].(map[string]any)
		return c.check(definitions[strings.TrimPrefix(ref, "#/$defs/")], value, at)
	}
	if cases, ok := rules["anyOf"].([]any); ok {
		var first error
		for _, one := range cases {
			err := c.check(one, value, at)
			if err == nil {
				return nil
			}
			if first == nil {
				first = err
			}
		}
		return first
	}
	if kinds := texts(rules["type"]); kinds != nil && !fits(kinds, value) {
		return fmt.Errorf("%s: %s is not %s", at, shown(value), strings.Join(kinds, " or "))
	}
	if values, ok := rules["enum"].([]any); ok && !among(values, value) {
		return fmt.Errorf("%s: %s is not one of %s", at, shown(value), shown(values))
	}
	switch value := value.(type) {
	case string:
		return checkText(rules, value, at)
	case json.Number:
		return checkNumber(rules, value, at)
	case []any:
		return c.checkList(rules, value, at)
	case map[string]any:
		return c.checkObject(rules, value, at)
	}
	return nil
}

func checkText(rules map[string]any, value, at string) error {
	length := int64(utf8.RuneCountInString(value))
	if least, ok := count(rules["minLength"]); ok && length < least {
		return fmt.Errorf("%s: %s has fewer than %d characters", at, shown(value), least)
	}
	if most, ok := count(rules["maxLength"]); ok && length > most {
		return fmt.Errorf("%s: %s has more than %d characters", at, shown(value), most)
	}
	if pattern, ok := rules["pattern"].(string); ok {
		if expression, err := regexp.Compile(pattern); err == nil && !expression.MatchString(value) {
			return fmt.Errorf("%s: %s does not match %s", at, shown(value), pattern)
		}
	}
	return nil
}

func checkNumber(rules map[string]any, value json.Number, at string) error {
	for _, bound := range []struct {
		keyword string
		refused func(compared int) bool
	}{
		{"minimum", func(compared int) bool { return compared < 0 }},
		{"maximum", func(compared int) bool { return compared > 0 }},
		{"exclusiveMinimum", func(compared int) bool { return compared <= 0 }},
		{"exclusiveMaximum", func(compared int) bool { return compared >= 0 }},
	} {
		limit, ok := rules[bound.keyword].(json.Number)
		if ok && bound.refused(rational(value).Cmp(rational(limit))) {
			return fmt.Errorf("%s: %s is beyond the %s of %s", at, value, bound.keyword, limit)
		}
	}
	return nil
}

func (c *checker) checkList(rules map[string]any, value []any, at string) error {
	if least, ok := count(rules["minItems"]); ok && int64(len(value)) < least {
		return fmt.Errorf("%s: fewer than %d items", at, least)
	}
	if most, ok := count(rules["maxItems"]); ok && int64(len(value)) > most {
		return fmt.Errorf("%s: more than %d items", at, most)
	}
	for i, item := range value {
		if err := c.check(rules["items"], item, fmt.Sprintf("%s[%d]", at, i)); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) checkObject(rules map[string]any, value map[string]any, at string) error {
	for _, name := range texts(rules["required"]) {
		if _, ok := value[name]; !ok {
			return fmt.Errorf("%s: `%s` is missing", at, name)
		}
	}
	properties, _ := rules["properties"].(map[string]any)
	for name, member := range value {
		rule, known := properties[name]
		if !known {
			if rules["additionalProperties"] == false {
				return fmt.Errorf("%s: `%s` is not known", at, name)
			}
			rule = rules["additionalProperties"]
		}
		if err := c.check(rule, member, at+"."+name); err != nil {
			return err
		}
	}
	return nil
}

func fits(kinds []string, value any) bool {
	for _, kind := range kinds {
		switch value := value.(type) {
		case nil:
			if kind == "null" {
				return true
			}
		case bool:
			if kind == "boolean" {
				return true
			}
		case string:
			if kind == "string" {
				return true
			}
		case json.Number:
			if kind == "number" || kind == "integer" && rational(value).IsInt() {
				return true
			}
		case []any:
			if kind == "array" {
				return true
			}
		case map[string]any:
			if kind == "object" {
				return true
			}
		}
	}
	return false
}

func among(values []any, value any) bool {
	for _, one := range values {
		if reflect.DeepEqual(one, value) {
			return true
		}
	}
	return false
}

func texts(value any) []string {
	switch value := value.(type) {
	case string:
		return []string{value}
	case []any:
		texts := []string{}
		for _, one := range value {
			text, _ := one.(string)
			texts = append(texts, text)
		}
		return texts
	}
	return nil
}

func count(value any) (int64, bool) {
	number, ok := value.(json.Number)
	if !ok {
		return 0, false
	}
	count, err := number.Int64()
	return count, err == nil
}

func rational(number json.Number) *big.Rat {
	value, ok := new(big.Rat).SetString(number.String())
	if !ok {
		return new(big.Rat)
	}
	return value
}

func shown(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}
