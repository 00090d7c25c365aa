"""Keep the rows of a grant in memory: read all pages once, then what changes. Python 3.8 or newer, standard library only.

    HUB=https://hub.example.gov.cn RESOURCE=<id> PURPOSE=<code> KEY_FILE=key python3 pull.py
"""
import json, os, time, urllib.error, urllib.parse, urllib.request

hub, resource = os.environ["HUB"].rstrip("/") + "/api/v1", os.environ["RESOURCE"]
with open(os.environ["KEY_FILE"], encoding="utf-8") as f:
    headers = {"Authorization": "Bearer " + f.read().strip(), "X-Purpose": os.environ["PURPOSE"]}


def call(what, **query):
    url = f"{hub}/data/{resource}/{what}?{urllib.parse.urlencode(query)}"
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as e:
            if e.code not in (429, 503):  # 409 terms_changed and 410: begin anew; 403: the grant is suspended or over.
                raise SystemExit(f"the hub refuses: {json.load(e)['code']}")
            time.sleep(int(e.headers.get("Retry-After", 1)))


schema = call("schema")
key = (lambda row: row["_rid"]) if schema["row_id"] else lambda row: "~1".join(str(row[k]).replace("~", "~0") for k in schema["key"])
page, rows = call("rows", limit=5000), {}
rows.update((key(r), r) for r in page["rows"])
while page["next_cursor"]:
    page = call("rows", limit=5000, cursor=page["next_cursor"])
    rows.update((key(r), r) for r in page["rows"])
changes = {"next_cursor": page["changes_cursor"], "more": True}
while changes["more"]:  # Keep next_cursor and call again, every minute or so, for what changes later.
    changes = call("changes", limit=5000, cursor=changes["next_cursor"])
    for c in changes["changes"]:
        if c["op"] == "upsert":
            rows[key(c["row"])] = c["row"]
        else:
            rows.pop(c.get("key") or c["_rid"], None)
print(len(rows), "rows as of", changes["as_of"])
