import { ec2Operations } from '@sallyport/protocol/api/ec2'
import { requestTagConditions } from '@sallyport/server/iam/tag-conditions'
import { operation } from '../../operation.ts'
import { checkDryRun } from './dry-run.ts'
import { instanceCheck } from './instances.ts'
import { changeTags, checkTagged, type Ec2InputTag, toTag } from './tags.ts'

export const createTags = operation({
  input: ec2Operations.CreateTags.input,
  callers: ['person'],
  access: async ({ ResourceId, Tag }, context) => ({
    all: await Promise.all(
      ResourceId.map(id => instanceCheck(context, id, requestTagConditions(Tag.map(toTag)))),
    ),
  }),
  changesAccess: true,
  run: async (context, input) => {
    checkDryRun(input)
    const tags: readonly Ec2InputTag[] = input.Tag
    await checkTagged(context, input.ResourceId)
    await changeTags(context, input.ResourceId, () => ({ removed: [], added: tags.map(toTag) }))
    return { return: true }
  },
})
