// The reference of the row `chain-benthos`: the same pipeline as `../go`, made of Benthos' own parts from its public Go package: an HTTP
// server as input, three `http` processors with a mapping before each, nothing kept. It is answered when the pipeline is through.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
)

// As many events at the same time as the generator has on their way: a thread of the pipeline waits for its request.
const threads = 32

func configuration(sinks []string) string {
	var y strings.Builder
	fmt.Fprintf(&y, `
input:
  http_server:
    path: /v1/events
    allowed_verbs: [POST]
pipeline:
  threads: %d
  processors:
    - mapping: |
        meta event = this.id
        meta before = this.data.job_id
        meta text = "Job %%s for %%s: %%s".format(this.data.job_id, this.data.customer.name, this.data.notes)
        root = {}
`, threads)
	for _, sink := range sinks {
		fmt.Fprintf(&y, `
    - mapping: |
        meta key = uuid_v4()
        root = { "event": @event, "before": @before, "text": @text }
    - http:
        url: %q
        verb: POST
        headers:
          content-type: application/json
          idempotency-key: ${! @key }
    - mapping: |
        meta before = this.id
        root = this
`, sink)
	}
	y.WriteString(`
output:
  drop: {}
logger:
  level: ERROR
metrics:
  none: {}
`)
	return y.String()
}

func main() {
	mux := http.NewServeMux()
	builder := service.NewStreamBuilder()
	builder.SetHTTPMux(mux)
	if err := builder.SetYAML(configuration(os.Args[1:])); err != nil {
		panic(err)
	}
	stream, err := builder.Build()
	if err != nil {
		panic(err)
	}
	go func() {
		if err := stream.Run(context.Background()); err != nil {
			panic(err)
		}
	}()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	panic(http.Serve(listener, mux))
}
