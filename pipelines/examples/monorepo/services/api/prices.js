const prices = new Map([
  ['tea', '2.50'],
  ['coffee', '3.20'],
]);

export const priceOf = (name) => prices.get(name);
