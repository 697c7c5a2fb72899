// The reference of the row `chain`: an event in over HTTP, answered with 202, then three requests one after another, each with an
// idempotency key and something of the answer before. Nothing is kept, nothing is sandboxed, nothing is tried again.
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

type event struct {
	ID   string `json:"id"`
	Data struct {
		JobID    string `json:"job_id"`
		Notes    string `json:"notes"`
		Customer struct {
			Name string `json:"name"`
		} `json:"customer"`
	} `json:"data"`
}

type request struct {
	Event  string `json:"event"`
	Before string `json:"before"`
	Text   string `json:"text"`
}

func main() {
	sinks := os.Args[1:]
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	http.HandleFunc("/v1/events", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var e event
		if err != nil || json.Unmarshal(body, &e) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		go run(client, sinks, e)
		w.WriteHeader(http.StatusAccepted)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	panic(http.Serve(listener, nil))
}

func run(client *http.Client, sinks []string, e event) {
	before := e.Data.JobID
	for _, sink := range sinks {
		text := "Job " + e.Data.JobID + " for " + e.Data.Customer.Name + ": " + e.Data.Notes
		body, _ := json.Marshal(request{e.ID, before, text})
		out, _ := http.NewRequest("POST", sink, bytes.NewReader(body))
		out.Header.Set("content-type", "application/json")
		out.Header.Set("idempotency-key", rand.Text())
		answer, err := client.Do(out)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		var id struct {
			ID string `json:"id"`
		}
		err = json.NewDecoder(answer.Body).Decode(&id)
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK {
			fmt.Fprintln(os.Stderr, answer.Status, err)
			return
		}
		before = id.ID
	}
}
