import fc from 'fast-check'
import { expect, test } from 'vitest'
import vectors from '../vectors/retransmission.json' with { type: 'json' }
import { RoundTripEstimate, STOCK_MAXIMUM_RTO } from './retransmission.ts'

test('follows the vectors of both stock endpoints', () => {
  const estimate = new RoundTripEstimate()
  expect(estimate).toMatchObject(vectors.start)
  for (const { sample, roundTrip, variation, timeout } of vectors.samples) {
    estimate.sample(sample)
    expect(estimate.roundTrip).toBeCloseTo(roundTrip, 3)
    expect(estimate.variation).toBeCloseTo(variation, 3)
    expect(estimate.timeout).toBeCloseTo(timeout, 3)
  }
})

test('patience doubles with every time-out, up to the maximum, and a sample restores it', () => {
  const estimate = new RoundTripEstimate()
  const patience = [1, 2, 3, 4].map(() => {
    estimate.backOff()
    return estimate.patience
  })
  expect(patience).toEqual([400, 800, 1000, 1000])
  expect(estimate.timeout).toBe(200)
  estimate.sample(100)
  expect(estimate.patience).toBe(estimate.timeout)
})

test('a minimum holds from the start, and however fast the peer is', () => {
  const estimate = new RoundTripEstimate(1_000, 10_000)
  expect(estimate.timeout).toBe(1_000)
  for (let i = 0; i < 50; i++) estimate.sample(1)
  expect(estimate.timeout).toBe(1_000)
})

test('against the formula of data-plane.md 10.3, and never out of its bounds', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 5_000 })), samples => {
      const estimate = new RoundTripEstimate()
      let [rtt, variation] = [100, 0]
      for (const sample of samples) {
        estimate.sample(sample)
        variation = 0.75 * variation + 0.25 * Math.abs(rtt - sample)
        rtt = 0.875 * rtt + 0.125 * sample
        expect(estimate.timeout).toBeCloseTo(Math.min(1000, rtt + Math.max(10, 4 * variation)), 6)
        expect(estimate.timeout).toBeLessThanOrEqual(STOCK_MAXIMUM_RTO)
        expect(estimate.timeout).toBeGreaterThan(0)
      }
    }),
  )
})
