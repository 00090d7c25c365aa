// Checks what the hub says of open data against the shapes of DCAT-AP 3.0.1.
//
//   node check.mjs <folder>
//
// The folder holds pairs of one graph as Turtle (.ttl) and as JSON-LD (.jsonld). Each pair must say the same, and have no violation of
// the shapes. It ends with 0 when all hold, else with 1 and what does not. Nothing is fetched.
import { readFileSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { DataFactory, Parser, Store, Writer } from 'n3'
import jsonld from 'jsonld'
import SHACLValidator from 'rdf-validate-shacl'

const folder = process.argv[2]
const turtle = (text) => new Parser().parse(text)
const shapes = new Store(turtle(readFileSync(fileURLToPath(new URL('dcat-ap-3.0.1-SHACL.ttl', import.meta.url)), 'utf8')))
const validator = new SHACLValidator(shapes)
const title = 'http://purl.org/dc/terms/title'

// lines are the statements of a graph, one a line, in an order of their own.
const lines = (quads) => [...new Set(quads.map((q) => new Writer({ format: 'N-Triples' }).quadToString(q.subject, q.predicate, q.object).trim()))].sort()

async function fromJSONLD(text) {
  const refused = async (url) => { throw new Error(`the context ${url} is not in the document`) }
  return turtle(await jsonld.toRDF(JSON.parse(text), { format: 'application/n-quads', documentLoader: refused }))
}

async function violations(quads) {
  const report = await validator.validate(new Store(quads))
  return report.results.map((r) => `${r.focusNode?.value} ${r.path?.value ?? ''}: ${r.message.map((m) => m.value).join(' ') || r.sourceConstraintComponent?.value}`)
}

let failed = 0
const fail = (text) => { failed++; console.log(`FAIL  ${text}`) }
const names = readdirSync(folder).filter((name) => name.endsWith('.ttl')).map((name) => name.slice(0, -4))
if (names.length === 0) fail(`there is nothing in ${folder}`)
for (const name of names) {
  const quads = turtle(readFileSync(join(folder, `${name}.ttl`), 'utf8'))
  const [said, again] = [lines(quads), lines(await fromJSONLD(readFileSync(join(folder, `${name}.jsonld`), 'utf8')))]
  for (const line of said) if (!again.includes(line)) fail(`${name}: only the Turtle says ${line}`)
  for (const line of again) if (!said.includes(line)) fail(`${name}: only the JSON-LD says ${line}`)
  const found = await violations(quads)
  for (const one of found) fail(`${name}: ${one}`)
  // A check that cannot fail is none: without titles there must be violations.
  const untitled = quads.filter((q) => !q.predicate.equals(DataFactory.namedNode(title)))
  if ((await violations(untitled)).length === 0) fail(`${name}: the shapes do not miss the titles`)
  if (!failed) console.log(`PASS  ${name}: ${said.length} statements, no violation`)
}
process.exit(failed ? 1 : 0)
