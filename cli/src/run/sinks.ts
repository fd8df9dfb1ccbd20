import { StringDecoder } from 'node:string_decoder'
import { inertOutputLine } from '../inert.ts'
import { LineSplitter } from './lines.ts'
import type { Screen, StreamName } from './screen.ts'

/** A node, and what it is called in front of a person. */
export type OutputNode = { nodeId: string; label: string }

/** Where the output of nodes goes. Pieces of several nodes may come in turns, unless `alone`. */
export type OutputSink = {
  write(node: OutputNode, stream: StreamName, piece: Uint8Array): void
  /** A step of the node is over: what comes next is not the rest of its last line. */
  end(node: OutputNode): void
  /** All of a node's output has to come at once. */
  alone?: boolean
}

const STREAMS = ['stdout', 'stderr'] as const

/** Cyan, green, yellow, magenta, blue, and these once more, bright: no red, which is for what fails. */
const PALETTE = [36, 32, 33, 35, 34, 96, 92, 93, 95, 94]
const RED = 31

const coloured = (text: string, colour: number) => `\x1b[${colour}m${text}\x1b[0m`

const wholeLine = (line: string) => (line.endsWith('\n') ? line : `${line}\n`)

/** One node's output as it is: its bytes for a file or a program, harmless lines for a terminal. */
export const plainSink = (screen: Screen): OutputSink => {
  const onTerminal = lineSink((_, stream, line) => screen.write(stream, wholeLine(line)))
  return {
    write(node, stream, piece) {
      if (screen.isTerminal(stream)) onTerminal.write(node, stream, piece)
      else screen.write(stream, piece)
    },
    end: node => onTerminal.end(node),
  }
}

/** Every line behind the name of its node. `width` is how many characters the names get. */
export const prefixSink = (screen: Screen, width: () => number): OutputSink => {
  const colours = new Map<string, number>()
  const colourOf = (nodeId: string): number => {
    const known = colours.get(nodeId) ?? PALETTE[colours.size % PALETTE.length] ?? RED
    colours.set(nodeId, known)
    return known
  }
  return lineSink(({ nodeId, label }, stream, line) => {
    const name = label.padEnd(width())
    const bar = stream === 'stderr' && screen.hasColours(stream) ? coloured('|', RED) : '|'
    const shown = screen.hasColours(stream) ? coloured(name, colourOf(nodeId)) : name
    screen.write(stream, `${shown} ${bar} ${wholeLine(line)}`)
  })
}

/** All output of a node below its name, as tail(1) shows several files. */
export const groupedSink = (screen: Screen): OutputSink => {
  /** What was written to a place last. Both streams are one where they go to the terminal. */
  const begun = new Map<string, string>()
  const sink = lineSink(({ nodeId, label }, stream, line) => {
    const place = screen.isTerminal(stream) ? 'terminal' : stream
    const before = begun.get(place)
    const what = `${stream} ${nodeId}`
    if (before !== what) {
      const gap = before === undefined ? '' : '\n'
      begun.set(place, what)
      const head = `==> ${label}${stream === 'stderr' ? ' (errors)' : ''} <==`
      screen.write(stream, `${gap}${screen.hasColours(stream) ? coloured(head, 1) : head}\n`)
    }
    screen.write(stream, wholeLine(line))
  })
  return { ...sink, alone: true }
}

/** A line of JSON for every piece that is text of whole characters. */
export const eventSink = (tell: (event: object) => void): OutputSink => {
  const decoders = new Map<string, StringDecoder>()
  return {
    write({ nodeId, label }, stream, piece) {
      const key = `${nodeId} ${stream}`
      const decoder = decoders.get(key) ?? new StringDecoder('utf8')
      decoders.set(key, decoder)
      const Content = decoder.write(Buffer.from(piece))
      if (Content !== '') {
        tell({ Event: 'Output', InstanceId: nodeId, InstanceName: label, Stream: stream, Content })
      }
    },
    end({ nodeId }) {
      for (const stream of STREAMS) decoders.delete(`${nodeId} ${stream}`)
    },
  }
}

/** Lines made harmless for terminals. The last one of a stream may come without its line feed. */
const lineSink = (print: (node: OutputNode, stream: StreamName, line: string) => void): OutputSink => {
  const splitters = new Map<string, LineSplitter>()
  return {
    write(node, stream, piece) {
      const key = `${node.nodeId} ${stream}`
      const splitter = splitters.get(key) ?? new LineSplitter()
      splitters.set(key, splitter)
      for (const line of splitter.push(piece)) print(node, stream, `${inertOutputLine(line)}\n`)
    },
    end(node) {
      for (const stream of STREAMS) {
        const key = `${node.nodeId} ${stream}`
        for (const line of splitters.get(key)?.end() ?? []) print(node, stream, inertOutputLine(line))
        splitters.delete(key)
      }
    },
  }
}
