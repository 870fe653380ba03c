/** What runs otherwise than it was deployed. */
import type { Stack } from '../api/types.ts';

/** Names of the services whose digest was seen to be another one than that of the release. */
export function driftOf(stack: Stack | undefined): string[] {
  const { current, observed } = stack ?? {};
  if (!current || !observed || observed.at < current.since) return [];
  const expected = new Map(current.services.map(({ name, digest }) => [name, digest]));
  return observed.services
    .filter(({ name, digest }) => digest !== null && expected.has(name) && expected.get(name) !== digest)
    .map(({ name }) => name);
}
