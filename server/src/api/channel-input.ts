import { type Infer, type Shape, s } from '@sallyport/protocol/aws/shape'

const channelId = s.string({ min: 1, max: 128 })

/** A Create…Channel shape with the id that stands in the path of its request. */
export function withChannelId<S extends Shape<unknown>>(shape: S): Shape<Infer<S> & { ChannelId: string }> {
  if (shape.kind !== 'structure') throw new TypeError('the input of an operation is a structure')
  return {
    ...shape,
    members: { ...shape.members, ChannelId: channelId },
    required: new Set([...shape.required, 'ChannelId']),
  } as Shape<Infer<S> & { ChannelId: string }>
}
