/** The harbour's rules: each ship has one berth, and a berth is for ships with names. */

/** Answers the berths with `ship` among them; throws where she may not moor. */
export function moor(berths, ship) {
  const name = String(ship ?? '').trim();
  if (name === '') throw new RangeError('a ship needs a name');
  if (name.length > 40) throw new RangeError('a name has 40 letters at most');
  if (berths.some((berth) => berth.ship === name)) throw new RangeError(`${name} is here already`);
  return [...berths, { ship: name }];
}
