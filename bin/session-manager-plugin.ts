import { runPlugin } from '@sallyport/cli/plugin'
import { exitWith } from './exit.ts'

await exitWith(await runPlugin(process.argv.slice(2), process.env))
