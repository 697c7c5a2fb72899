// Connector `warehouse`: takes the parts of a job out of stock, and puts them back.
package main

import sangam "sangam/sdk"

// Config is what the administrator writes: `config = { base-url = "…" }`.
type Config struct {
	BaseURL  string `json:"base-url" format:"uri" doc:"Origin of the API, such as https://stock.example.com."`
	Location string `json:"location,omitempty" doc:"Where parts are taken from that come without a location. Absent: the warehouse decides."`
}

var plugin = sangam.New(sangam.About{
	Name:        "warehouse",
	Version:     "0.1.0",
	Title:       "Warehouse",
	Description: "Takes the parts that a job used out of stock, all of them or none, and puts them back.",
	Hosts:       []string{"${base-url}"},
},
	sangam.Action("take-parts", "Take parts", takeParts).UndoneBy("return-parts"),
	sangam.Action("return-parts", "Return parts", returnParts).
		Describe("Puts back what take-parts took, also where that failed halfway."),
)

func main() {}
