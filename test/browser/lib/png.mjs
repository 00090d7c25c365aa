// Pictures of pages made small: what a browser writes in full colour needs no more than 256 of them.
import { deflateSync, inflateSync } from 'node:zlib'

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

// shrink returns an opaque PNG of 8 bits a channel as one with a palette: the most frequent colours, and for others the nearest.
export function shrink(png) {
  const { width, height, channels, pixels } = decode(png)
  const bins = new Map() // By colour, with the lowest bits left out: how many pixels, and the sum of their colours.
  const binOf = (i) => (pixels[i] >> 2 << 12) | (pixels[i + 1] >> 2 << 6) | (pixels[i + 2] >> 2)
  for (let i = 0; i < pixels.length; i += channels) {
    let bin = bins.get(binOf(i))
    if (!bin) bins.set(binOf(i), bin = { n: 0, r: 0, g: 0, b: 0 })
    bin.n++; bin.r += pixels[i]; bin.g += pixels[i + 1]; bin.b += pixels[i + 2]
  }
  const frequent = [...bins.values()].sort((a, b) => b.n - a.n).slice(0, 256)
  const palette = frequent.map(({ n, r, g, b }) => [Math.round(r / n), Math.round(g / n), Math.round(b / n)])
  const nearest = new Map()
  for (const [key, { n, r, g, b }] of bins) {
    let best = 0, least = Infinity
    for (const [i, [pr, pg, pb]] of palette.entries()) {
      const far = (pr - r / n) ** 2 * 2 + (pg - g / n) ** 2 * 4 + (pb - b / n) ** 2 * 3
      if (far < least) [best, least] = [i, far]
    }
    nearest.set(key, best)
  }
  const rows = Buffer.alloc((width + 1) * height)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) rows[y * (width + 1) + 1 + x] = nearest.get(binOf((y * width + x) * channels))
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  head.set([8, 3, 0, 0, 0], 8) // 8 bits, palette.
  return Buffer.concat([signature, chunk('IHDR', head), chunk('PLTE', Buffer.from(palette.flat())), chunk('IDAT', deflateSync(rows, { level: 9, memLevel: 9 })), chunk('IEND', Buffer.alloc(0))])
}

// decode reads a PNG as browsers write it: 8 bits a channel, with or without alpha, not interlaced.
function decode(png) {
  const width = png.readUInt32BE(16)
  const height = png.readUInt32BE(20)
  const channels = { 2: 3, 6: 4 }[png[25]]
  if (png[24] !== 8 || !channels || png[28] !== 0) throw new Error('not a PNG as browsers write it')
  const parts = []
  for (let at = 8; at < png.length;) {
    const length = png.readUInt32BE(at)
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(png.subarray(at + 8, at + 8 + length))
    at += length + 12
  }
  const raw = inflateSync(Buffer.concat(parts))
  const line = width * channels
  const pixels = Buffer.alloc(line * height)
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (line + 1)]
    for (let x = 0; x < line; x++) {
      const a = x >= channels ? pixels[y * line + x - channels] : 0
      const b = y > 0 ? pixels[(y - 1) * line + x] : 0
      const c = x >= channels && y > 0 ? pixels[(y - 1) * line + x - channels] : 0
      pixels[y * line + x] = raw[y * (line + 1) + 1 + x] + [0, a, b, (a + b) >> 1, paeth(a, b, c)][filter]
    }
  }
  return { width, height, channels, pixels }
}

function paeth(a, b, c) {
  const p = a + b - c
  const [pa, pb, pc] = [Math.abs(p - a), Math.abs(p - b), Math.abs(p - c)]
  return pa <= pb && pa <= pc ? a : pb <= pc ? b : c
}

function chunk(type, data) {
  const out = Buffer.alloc(data.length + 12)
  out.writeUInt32BE(data.length, 0)
  out.write(type, 4, 'latin1')
  data.copy(out, 8)
  out.writeUInt32BE(crc(out.subarray(4, data.length + 8)), data.length + 8)
  return out
}

const crcs = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1
  return n
})

function crc(bytes) {
  let c = 0xffffffff
  for (const byte of bytes) c = crcs[(c ^ byte) & 255] ^ (c >>> 8)
  return (c ^ 0xffffffff) >>> 0
}
