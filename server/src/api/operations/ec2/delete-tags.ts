import { ec2Operations } from '@sallyport/protocol/api/ec2'
import { tagKeyConditions } from '@sallyport/server/iam/tag-conditions'
import { nodeResourceTypes } from '@sallyport/server/store/node-filters'
import { operation } from '../../operation.ts'
import { checkDryRun } from './dry-run.ts'
import { instanceCheck } from './instances.ts'
import { changeTags, checkTagged } from './tags.ts'

/** A tag with a value goes only where it has that value; without any tag, all go (EC2 API Reference, DeleteTags). */
export const deleteTags = operation({
  input: ec2Operations.DeleteTags.input,
  callers: ['person'],
  access: async ({ ResourceId, Tag }, context) => ({
    all: await Promise.all(
      ResourceId.map(async id => {
        // All of them are keys that the request is about, though it names none.
        const going = Tag ?? (await context.access.tagsOf(nodeResourceTypes.instance, id))
        return await instanceCheck(context, id, tagKeyConditions(going.map(({ Key }) => Key)))
      }),
    ),
  }),
  changesAccess: true,
  run: async (context, input) => {
    checkDryRun(input)
    await checkTagged(context, input.ResourceId)
    await changeTags(context, input.ResourceId, present => {
      const going = present.filter(
        ({ Key, Value }) =>
          input.Tag === undefined ||
          input.Tag.some(tag => tag.Key === Key && (tag.Value === undefined || tag.Value === Value)),
      )
      return { removed: going.map(({ Key }) => Key), added: [] }
    })
    return { return: true }
  },
})
