// Checks static/paste.js by itself.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'

new Function(readFileSync(new URL('../static/paste.js', import.meta.url), 'utf8'))()
const { table, isHead, value } = globalThis.shuqiaoPaste
for (const [text, want] of [
  ['a\tb\nc\td\n', [['a', 'b'], ['c', 'd']]],
  ['a\tb\r\nc\td\r\n', [['a', 'b'], ['c', 'd']]],
  ['a\t\n\tb', [['a', ''], ['', 'b']]],
  ['"two\nlines"\t"a ""word"""\n', [['two\nlines', 'a "word"']]],
  ['"tab\there"\tx', [['tab\there', 'x']]],
  ['5" pipe\tx', [['5" pipe', 'x']]],
  ['a\n\nb\n', [['a'], [''], ['b']]],
  ['', []],
]) assert.deepEqual(table(text), want, JSON.stringify(text))

const list = { kind: 'list', title: 'Type', values: [{ value: '', text: '—' }, { value: 'C', text: 'Text' }, { value: 'L3', text: 'L3 Sensitive' }] }
const yes = ['yes', '1']
for (const [column, text, want] of [
  [{ kind: 'text' }, '  x ', 'x'],
  [{ kind: 'number' }, ' 18 ', 18], [{ kind: 'number' }, '', 0], [{ kind: 'number' }, '1.5', undefined], [{ kind: 'number' }, '-1', undefined],
  [{ kind: 'tick' }, 'YES', true], [{ kind: 'tick' }, '', false], [{ kind: 'tick' }, 'no', false],
  [list, 'text', 'C'], [list, 'c', 'C'], [list, 'l3 sensitive', 'L3'], [list, '', ''], [list, 'odd', undefined],
  [{ ...list, free: true }, 'odd', 'odd'],
]) assert.equal(value(column, text, yes), want, `${column.kind} ${text}`)

const columns = [{ title: 'Name' }, { title: 'Type' }]
assert.equal(isHead(['name', ' TYPE '], columns), true)
assert.equal(isHead(['Name', 'C'], columns), false)
assert.equal(isHead(['Name', 'Type', 'More'], columns), false)
