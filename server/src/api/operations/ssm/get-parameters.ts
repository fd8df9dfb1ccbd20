import { ssmOperations } from '@sallyport/protocol/api/ssm'
import type { GetParametersOutput } from '@sallyport/protocol/api/ssm-parameters'
import { type OperationContext, operation } from '../../operation.ts'
import { readReference } from './parameter-names.ts'
import { type FoundParameter, referenceCheck, selectParameter, toParameter } from './parameters.ts'

/** What agents resolve `{{ssm:name}}` with. Wrong names and wrong selectors are told, and the others answered. */
export const getParameters = operation({
  input: ssmOperations.GetParameters.input,
  callers: ['person', 'node'],
  access: async ({ Names }, context) => ({
    all: await Promise.all(Names.map(name => referenceCheck(context, name))),
  }),
  run: async (context, { Names, WithDecryption }): Promise<GetParametersOutput> => {
    const names = [...new Set(Names)]
    const answers = await Promise.all(names.map(name => find(context, name)))
    return {
      // In the order that AWS documents.
      Parameters: answers
        .filter(found => found !== undefined)
        .map(found => toParameter(context, found, WithDecryption))
        .sort((a, b) => (a.Name === b.Name ? a.Version - b.Version : a.Name < b.Name ? -1 : 1)),
      InvalidParameters: names.filter((_, at) => answers[at] === undefined),
    }
  },
})

async function find(context: OperationContext, given: string): Promise<FoundParameter | undefined> {
  const reference = await readReference(context, given)
  return reference && (await selectParameter(context, reference))
}
