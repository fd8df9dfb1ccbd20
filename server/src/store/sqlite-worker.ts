import { parentPort, workerData } from 'node:worker_threads'
import { failureOf } from './sqlite-connection.ts'
import { SqliteEngine } from './sqlite-engine.ts'
import { type Answer, OPENED, type Request } from './sqlite-messages.ts'

// Entry of the database thread. It ends when its parent closes the port after a `close`.
const port = parentPort
if (!port) throw new Error('sqlite-worker runs in a worker thread only')

const answer = (answers: Answer[]) => port.postMessage(answers)
try {
  const { path } = workerData as { path: string }
  const engine = new SqliteEngine(path, answer)
  port.on('message', (requests: Request[]) => engine.receive(requests))
  answer([{ id: OPENED, rows: [], changes: undefined }])
} catch (error) {
  answer([{ id: OPENED, failure: failureOf(error) }])
}
