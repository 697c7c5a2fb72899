package schema_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"sangam/sdk/internal/check"
	. "sangam/sdk/internal/schema"
)

type tree struct {
	Name     string `json:"name"`
	Children []tree `json:"children,omitempty"`
}

type color string

func (color) Enum() []string { return []string{"red", "blue"} }

type money struct{ cents int }

func (money) JSONSchema() string { return `{"type":"string","pattern":"^[0-9]+\\.[0-9]{2}$"}` }

type base struct {
	ID string `json:"id" doc:"inner"`
}

type all struct {
	*base
	When     time.Time         `json:"when"`
	Number   json.Number       `json:"number"`
	Any      any               `json:"any"`
	Raw      json.RawMessage   `json:"raw,omitempty"`
	Bytes    []byte            `json:"bytes"`
	Labels   map[string]int8   `json:"labels"`
	Pair     [2]bool           `json:"pair"`
	Color    *color            `json:"color"`
	Money    money             `json:"money,omitzero"`
	Quoted   int               `json:"quoted,string"`
	Skipped  string            `json:"-"`
	Rate     float64           `json:"rate" minimum:"0" exclusiveMaximum:"1.5" example:"0.5"`
	Names    []string          `json:"names" minItems:"1"`
	Settings map[color]*string `json:"settings,omitempty"`
	private  int
}

func TestTypesBecomeSchemas(t *testing.T) {
	for _, one := range []struct {
		of        any
		direction Direction
		want      string
	}{
		{all{}, Read, `{"additionalProperties":false,"properties":{"any":{},"bytes":{"contentEncoding":"base64","type":"string"},"color":{"enum":["red","blue",null],"type":["string","null"]},"id":{"description":"inner","type":"string"},"labels":{"additionalProperties":{"maximum":127,"minimum":-128,"type":"integer"},"type":"object"},"money":{"pattern":"^[0-9]+\\.[0-9]{2}$","type":"string"},"names":{"items":{"type":"string"},"minItems":1,"type":"array"},"number":{"type":"number"},"pair":{"items":{"type":"boolean"},"maxItems":2,"minItems":2,"type":"array"},"quoted":{"type":"string"},"rate":{"examples":[0.5],"exclusiveMaximum":1.5,"minimum":0,"type":"number"},"raw":{},"settings":{"additionalProperties":{"type":["string","null"]},"type":"object"},"when":{"format":"date-time","type":"string"}},"required":["when","number","any","bytes","labels","pair","quoted","rate","names"],"type":"object"}`},
		{tree{}, Read, `{"$defs":{"tree":{"additionalProperties":false,"properties":{"children":{"items":{"$ref":"#/$defs/tree"},"type":"array"},"name":{"type":"string"}},"required":["name"],"type":"object"}},"$ref":"#/$defs/tree"}`},
		{struct {
			A []int  `json:"a"`
			B []int  `json:"b,omitempty"`
			C *int16 `json:"c"`
			D *int   `json:"d,omitempty"`
		}{}, Written, `{"properties":{"a":{"items":{"type":"integer"},"type":["array","null"]},"b":{"items":{"type":"integer"},"type":"array"},"c":{"maximum":32767,"minimum":-32768,"type":["integer","null"]},"d":{"type":["integer","null"]}},"required":["a","c"],"type":"object"}`},
		{"", Written, `{"type":"string"}`},
	} {
		schema, _, err := Of(reflect.TypeOf(one.of), one.direction)
		if err != nil {
			t.Fatal(err)
		}
		if text, _ := json.Marshal(schema); string(text) != one.want {
			t.Errorf("%T\n got: %s\nwant: %s", one.of, text, one.want)
		}
	}
}

func TestWhatGoWritesFitsTheSchemaOfItsType(t *testing.T) {
	red := color("red")
	for _, value := range []any{
		all{}, all{Color: &red, base: &base{}}, tree{Name: "a", Children: []tree{{Name: "b"}}}, struct{}{}, []int(nil), map[string]*tree{"x": nil},
	} {
		if _, listed := value.(all); listed {
			value = struct {
				all
				Names  []string `json:"names"`
				Color  *color   `json:"color,omitempty"`
				Number int      `json:"number"`
			}{all: value.(all), Names: []string{"n"}}
		}
		schema, _, err := Of(reflect.TypeOf(value), Written)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		if err := check.JSON(schema, text, "output"); err != nil {
			t.Errorf("%T: %v", value, err)
		}
	}
}

func TestWhatDoesNotFitIsNamed(t *testing.T) {
	schema, _, err := Of(reflect.TypeFor[struct {
		Name  string   `json:"name" minLength:"2" pattern:"^[a-z]+$"`
		Age   *uint8   `json:"age"`
		Color color    `json:"color,omitempty"`
		Tags  []string `json:"tags,omitempty" maxItems:"1"`
	}](), Read)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		`{"name":"ada","age":null}`:        "",
		`{"name":"ada","age":36.0}`:        "",
		`{}`:                               "in: `name` is missing",
		`{"name":"a"}`:                     `in.name: "a" has fewer than 2 characters`,
		`{"name":"Ada"}`:                   `in.name: "Ada" does not match ^[a-z]+$`,
		`{"name":7}`:                       "in.name: 7 is not string",
		`{"name":"ada","age":256}`:         "in.age: 256 is beyond the maximum of 255",
		`{"name":"ada","age":1.5}`:         "in.age: 1.5 is not integer or null",
		`{"name":"ada","color":"green"}`:   `in.color: "green" is not one of ["red","blue"]`,
		`{"name":"ada","tags":["a","b"]}`:  "in.tags: more than 1 items",
		`{"name":"ada","tags":[null]}`:     "in.tags[0]: null is not string",
		`{"name":"ada","surname":"Byron"}`: "in: `surname` is not known",
	} {
		said := ""
		if err := check.JSON(schema, []byte(text), "in"); err != nil {
			said = err.Error()
		}
		if said != want {
			t.Errorf("%s: %q, wanted %q", text, said, want)
		}
	}
}
