import { platformsOfAction } from './actions.ts'
import type { CommandDocument, Platform } from './command-schema.ts'
import { platformOfPrecondition } from './precondition.ts'

/** In the order in which AWS lists them. */
export const ALL_PLATFORMS: readonly Platform[] = ['Windows', 'Linux', 'MacOS']

/** Where at least one step of the document runs: its action is known there, and no precondition is against it. */
export function platformsOf({ mainSteps, runtimeConfig }: CommandDocument): Platform[] {
  const steps = mainSteps?.map(({ action, precondition }) => {
    const only = platformOfPrecondition(precondition?.StringEquals)
    return platformsOfAction(action).filter(platform => only === undefined || platform === only)
  })
  const found = new Set((steps ?? Object.keys(runtimeConfig ?? {}).map(platformsOfAction)).flat())
  return ALL_PLATFORMS.filter(platform => found.has(platform))
}
