package input

import "testing"

func TestNamesTheFieldThatDoesNotFit(t *testing.T) {
	type invoice struct {
		Customer string `json:"customer"`
		Lines    []struct {
			Amount uint32 `json:"amount"`
		} `json:"lines"`
	}
	for _, one := range []struct{ text, want string }{
		{`{"customer": 7}`, "input.customer: a number does not fit string"},
		{`{"customer": "a\"{[", "lines": [{"amount": 1}, {"amount": "x"}]}`, "input.lines[1].amount: a string does not fit uint32"},
		{`{"customer": "ä", "lines": [{"amount": -1}]}`, "input.lines[0].amount: the number -1 does not fit uint32"},
		{`{"customer": ["a"]}`, "input.customer: an array does not fit string"},
		{`{"customer": true}`, "input.customer: true or false does not fit string"},
		{`{"customer": "a"`, "input.customer: not JSON: it ends in the middle"},
		{`{"customer": "a"} {}`, "input: there is more after the end of the JSON"},
		{`{"customer": x}`, "input.customer: not JSON: invalid character 'x' looking for beginning of value"},
		{``, "input: not JSON: it ends in the middle"},
	} {
		err := Parse([]byte(one.text), "input", new(invoice))
		if err == nil || err.Error() != one.want {
			t.Errorf("%s\n got: %v\nwant: %s", one.text, err, one.want)
		}
	}
}

func FuzzAnyTextIsReadOrRefused(f *testing.F) {
	f.Add(`{"a":["b",{"c":"\`)
	f.Add(`{"a":1}]`)
	f.Fuzz(func(t *testing.T, text string) {
		var target struct {
			A []struct{ B int }
			C string
		}
		if err := Parse([]byte(text), "input", &target); err != nil && err.Error() == "" {
			t.Error("refused without a word")
		}
	})
}
