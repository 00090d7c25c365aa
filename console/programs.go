package console

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// Placeholders of programs: what stands in the client's own settings, never here.
const (
	keyPlace  = "KEY_ID.SECRET"
	casePlace = "CASE_NUMBER"
)

// programs are ready examples that read all rows of a grant, page by page. Purposes are made of letters, digits, dots, dashes and
// underscores, so that they need no quoting in any of the languages.
func programs(rows string, grant uuid.UUID, purpose string, caseRequired bool) []program {
	headers := [][2]string{{"Authorization", "Bearer " + keyPlace}, {"X-Grant", grant.String()}, {"X-Purpose", purpose}}
	if caseRequired {
		headers = append(headers, [2]string{"X-Case-Number", casePlace})
	}
	each := func(format string) string {
		var b strings.Builder
		for _, h := range headers {
			fmt.Fprintf(&b, format, h[0], h[1])
		}
		return b.String()
	}
	return []program{
		{ID: "curl", Name: "curl", Text: "curl --fail-with-body '" + rows + "?limit=100'" + each(" \\\n  -H '%s: %s'") + "\n"},
		{ID: "python", Name: "Python", Text: fmt.Sprintf(pythonProgram, rows, each("    %q: %q,\n"))},
		{ID: "java", Name: "Java", Text: fmt.Sprintf(javaProgram, rows, each("                .header(%q, %q)\n"))},
		{ID: "go", Name: "Go", Text: fmt.Sprintf(goProgram, rows, each("\t\treq.Header.Set(%q, %q)\n"))},
	}
}

const pythonProgram = `import json, urllib.parse, urllib.request

ROWS = "%s"
HEADERS = {
%s}

cursor = ""
while True:
    query = {"limit": 1000, **({"cursor": cursor} if cursor else {})}
    request = urllib.request.Request(ROWS + "?" + urllib.parse.urlencode(query), headers=HEADERS)
    with urllib.request.urlopen(request) as answer:
        page = json.load(answer)
    for row in page["rows"]:
        print(row)
    cursor = page.get("next_cursor")
    if not cursor:
        break
`

const javaProgram = `import java.net.URI;
import java.net.http.*;

public class Rows {
    public static void main(String[] args) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create("%s?limit=1000"))
%s                .build();
        HttpResponse<String> answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 200) {
            throw new IllegalStateException(answer.body());
        }
        // Ask again with &cursor= and the answer's next_cursor until there is none.
        System.out.println(answer.body());
    }
}
`

const goProgram = `package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/url"
)

const rows = "%s"

func main() {
	for cursor := ""; ; {
		req, err := http.NewRequest(http.MethodGet, rows+"?limit=1000&cursor="+url.QueryEscape(cursor), nil)
		if err != nil {
			log.Fatal(err)
		}
%s		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			log.Fatal(err)
		}
		var page struct {
			Rows       []json.RawMessage
			NextCursor string ` + "`json:\"next_cursor\"`" + `
		}
		err = json.NewDecoder(answer.Body).Decode(&page)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK {
			log.Fatal(answer.Status, err)
		}
		for _, row := range page.Rows {
			fmt.Println(string(row))
		}
		if cursor = page.NextCursor; cursor == "" {
			return
		}
	}
}
`
