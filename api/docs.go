package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
)

const docsStyle = `body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1f2933}` +
	`table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #e4e7eb;vertical-align:top}` +
	`code{font:13px ui-monospace,monospace}.m{font-weight:600;width:4.5rem}.p{color:#52606d}`

const docsPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Shuqiao 数桥 API</title><style>{{.Style}}</style></head><body>
<h1>Shuqiao 数桥 API {{.Version}}</h1>
<p>The full description, with every body, is <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1). Errors are
problem+json (RFC 9457) with a stable <code>code</code>.</p>
<table><thead><tr><th>Method</th><th>Path</th><th>What</th><th>Needs</th></tr></thead><tbody>
{{range .Routes}}<tr><td class="m"><code>{{.Method}}</code></td><td><code>{{.Path}}</code></td><td>{{.Summary}}</td>` +
	`<td class="p">{{if .Action}}<code>{{.Action}}</code>{{else}}{{.Access}}{{end}}</td></tr>
{{end}}</tbody></table></body></html>
`

// renderDocs returns the page that lists the routes, and the content security policy that lets only its own style in.
func renderDocs(version string, routes []Route) (page []byte, policy string, err error) {
	t, err := template.New("docs").Parse(docsPage)
	if err != nil {
		return nil, "", fmt.Errorf("parsing the documentation page: %w", err)
	}
	var b bytes.Buffer
	err = t.Execute(&b, struct {
		Style   template.CSS
		Version string
		Routes  []Route
	}{docsStyle, version, routes})
	if err != nil {
		return nil, "", fmt.Errorf("rendering the documentation page: %w", err)
	}
	sum := sha256.Sum256([]byte(docsStyle))
	policy = "default-src 'none'; frame-ancestors 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	return b.Bytes(), policy, nil
}
