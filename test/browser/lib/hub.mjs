// What the tests know of the hub that serves the demonstration: addresses, logins, and the messages of its console.
import { readFileSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'

const messages = fileURLToPath(new URL('../../../console/messages/', import.meta.url))

// openHub reads what the demonstration wrote down about itself.
export function openHub(file, url) {
  const demo = JSON.parse(readFileSync(file, 'utf8'))
  const base = (url ?? demo.console_url).replace(/\/ui\/?$/, '').replace(/\/$/, '')
  const resource = (database) => demo.resources.find((r) => r.base_database === database)
  return {
    demo,
    base,
    population: resource('population'),
    resource,
    key: untranslatedKey(),
    forms: new Map(), // Forms with texts, as the crawl meets them: by who, {address, form}.
    translated: new Set(), // Kinds of pages that were looked at in English.
    keeping: new Map(), // Forms that keep what is typed, as the crawl meets them: by kind, who finds one, and where.
    clientOf: (name) => demo.clients?.filter((c) => c.department === demo.users[name].department).sort((a, b) => (a.name < b.name ? -1 : 1))[0],

    // pull asks for rows as a client does, under one grant: "served", or the code of the refusal.
    async pull(grant, client, purpose, resource) {
      const answer = await fetch(`${demo.api_url}/data/${resource}/rows?limit=3`, {
        headers: { Authorization: `Bearer ${client.key_id}.${client.secret}`, 'X-Grant': grant, 'X-Purpose': purpose, 'X-Case-Number': 'B-2026-0001' },
      })
      const body = await answer.json()
      return answer.ok ? 'served' : body.code
    },
  }
}

// texts are all sentences of one language by key.
export function texts(language) {
  const folder = join(messages, language)
  return Object.assign({}, ...readdirSync(folder).map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8'))))
}

// untranslatedKey matches what looks like the key of a message: a key without a sentence is shown as it is, and is therefore in
// no file. What keys start with is.
function untranslatedKey() {
  const starts = new Set(Object.keys(texts('zh-CN')).map((key) => key.split('.')[0]))
  return new RegExp(`(?<![\\w./@-])(${[...starts].sort().join('|')})\\.[a-z][a-z0-9_.*]*(?![\\w(/@-])`, 'g')
}
