// Command firstdata compiles the sources of FirstData, a public list of data sources in two languages, as drafts of one department
// through the public API, and says what each still lacks.
//
//	SHUQIAO_TOKEN=… go run ./bench/firstdata -url http://127.0.0.1:8080/api/v1 all-sources.json
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/shuqiao/shuqiao/api/client"
)

func main() {
	url := flag.String("url", "http://127.0.0.1:8080/api/v1", "address of the contract")
	flag.Parse()
	if err := run(context.Background(), client.New(*url, os.Getenv("SHUQIAO_TOKEN")), flag.Arg(0), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// source is one entry of FirstData.
type source struct {
	ID          string            `json:"id"`
	Name        map[string]string `json:"name"` // By language: zh, en.
	Description map[string]string `json:"description"`
	Website     string            `json:"website"`
	Domains     []string          `json:"domains"`
	Tags        []string          `json:"tags"`
	Frequency   string            `json:"update_frequency"`
	HasAPI      bool              `json:"has_api"`
}

// cycles are the update cycles of the hub by those of FirstData.
var cycles = map[string]string{
	"real-time": "realtime", "daily": "daily", "weekly": "weekly", "monthly": "monthly", "quarterly": "quarterly", "annual": "yearly", "irregular": "irregular",
}

// metadata is what a source says of itself; everything else stays open, for the department to state.
func metadata(s source, taken map[string]bool) client.Metadata {
	name := s.Name["zh"]
	if name == "" {
		name = s.Name["en"]
	}
	name = cut(strings.TrimSpace(name), 70)
	if taken[name] {
		name += " (" + cut(s.ID, 27) + ")"
	}
	taken[name] = true
	m := client.Metadata{
		Name: name, ProviderUnit: cut(s.Name["en"], 100), UpdateCycle: cycles[s.Frequency], CollectBasis: s.Website, Themes: few(s.Domains), Tags: few(append([]string{s.Name["en"]}, s.Tags...)),
		Summary: cut(s.Name["en"]+"。"+cut(s.Description["zh"], 480)+"\n"+cut(s.Description["en"], 480), 1000),
	}
	if s.HasAPI {
		m.FormatCategory, m.Formats = "7", []string{"http api"}
	}
	return m
}

func cut(s string, n int) string {
	if runes := []rune(s); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return s
}

// few keeps the first elements that are there.
func few(list []string) []string {
	out := []string{}
	for _, s := range list {
		if s = strings.TrimSpace(s); s != "" && len(out) < 50 {
			out = append(out, s)
		}
	}
	return out
}

// run compiles every source of a file and prints how many drafts were made, how fast, and how many lack what.
func run(ctx context.Context, hub *client.Client, path string, out io.Writer) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var all struct {
		Sources []source `json:"sources"`
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	lacking, taken, began, facts := map[string]int{}, map[string]bool{}, time.Now(), 0
	for _, s := range all.Sources {
		r, err := hub.CreateResource(ctx, "", metadata(s, taken), client.Once("firstdata-"+s.ID))
		if err != nil {
			return fmt.Errorf("compiling %s: %w", s.ID, err)
		}
		review, err := hub.ReviewOf(ctx, r.ID)
		if err != nil {
			return fmt.Errorf("reading what %s lacks: %w", s.ID, err)
		}
		for _, b := range review.Blocks {
			lacking[b.Name]++
			facts++
		}
	}
	n := len(all.Sources)
	fmt.Fprintf(out, "%d drafts in %s, %d missing facts\n", n, time.Since(began).Round(time.Millisecond), facts)
	names := make([]string, 0, len(lacking))
	for name := range lacking {
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool {
		return lacking[names[i]] > lacking[names[j]] || lacking[names[i]] == lacking[names[j]] && names[i] < names[j]
	})
	for _, name := range names {
		fmt.Fprintf(out, "%5d lack %s\n", lacking[name], name)
	}
	return nil
}
