/** Light, dark, or as the system has it. `light-dark()` in theme.css follows the property that is set here. */
export const SCHEMES = ['system', 'light', 'dark'] as const;
export type Scheme = (typeof SCHEMES)[number];

const STORED = 'slipway.scheme';

export const storedScheme = (): Scheme => SCHEMES.find((name) => name === localStorage.getItem(STORED)) ?? 'system';

export function chooseScheme(scheme: Scheme): void {
  localStorage.setItem(STORED, scheme);
  applyScheme();
}

export function applyScheme(): void {
  const scheme = storedScheme();
  document.documentElement.style.colorScheme = scheme === 'system' ? '' : scheme;
}
