package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Quantity is a decimal number of at most three digits after the point, in thousandths: stock is counted, so never in floating point.
type Quantity int64

// JSONSchema is that of a number.
func (Quantity) JSONSchema() string { return `{"type":"number"}` }

// UnmarshalJSON reads a number.
func (q *Quantity) UnmarshalJSON(text []byte) error {
	number := string(text)
	digits, negative := strings.CutPrefix(number, "-")
	whole, part, _ := strings.Cut(digits, ".")
	part = strings.TrimRight(part, "0")
	if len(part) > 3 {
		return fmt.Errorf("the quantity %s has more than three digits after the point", number)
	}
	thousandths, err := strconv.ParseInt(whole+part+"000"[len(part):], 10, 64)
	if err != nil || thousandths > math.MaxInt64/1000 {
		return fmt.Errorf("%s is no quantity: a number such as 2 or 1.5 is", number)
	}
	if negative {
		thousandths = -thousandths
	}
	*q = Quantity(thousandths)
	return nil
}

// MarshalJSON writes it without superfluous digits.
func (q Quantity) MarshalJSON() ([]byte, error) { return []byte(q.String()), nil }

// String is for people, and JSON as well.
func (q Quantity) String() string {
	sign, thousandths := "", int64(q)
	if thousandths < 0 {
		sign, thousandths = "-", -thousandths
	}
	text := fmt.Sprintf("%s%d.%03d", sign, thousandths/1000, thousandths%1000)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}
