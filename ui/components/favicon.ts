/** The tab's icon tells the state of its page by shape and colour, so that it can be seen from another tab. */
import type { StatusName } from './status.tsx';

const DISC = '<circle cx="8" cy="8" r="7.5" fill="FILL"/>';
const OCTAGON = '<path d="M5 .5h6L15.5 5v6L11 15.5H5L.5 11V5z" fill="FILL"/>';
const TRIANGLE = '<path d="M8 .5 16 15H0z" fill="FILL"/>';
const RING = '<circle cx="8" cy="8" r="6" fill="none" stroke="FILL" stroke-width="3" stroke-dasharray="26 12"/>';
const line = (path: string) => `<path d="${path}" fill="none" stroke="#fff" stroke-width="2"/>`;

const CROSS = line('m5 5 6 6m0-6-6 6');
const ICONS: Partial<Record<StatusName, [shape: string, fill: string]>> = {
  passed: [DISC + line('M4.5 8.5 7 11l4.5-5.5'), '#1a7f3c'],
  failed: [OCTAGON + CROSS, '#c02626'],
  errored: [OCTAGON + line('M8 4v5m0 2v1'), '#9a3fb5'],
  running: [RING, '#2b6fe0'],
  queued: [RING, '#7a879c'],
  approval: [TRIANGLE + line('M8 6v4m0 2v1'), '#b27400'],
  unstable: [TRIANGLE + line('M8 6v4m0 2v1'), '#b27400'],
  restored: [TRIANGLE + line('M8 6v4m0 2v1'), '#b27400'],
  drift: [TRIANGLE + line('M8 6v4m0 2v1'), '#b27400'],
};

export function showIcon(status: StatusName | null): void {
  const [shape, fill] = (status && ICONS[status]) ?? [];
  const icon = document.querySelector<HTMLLinkElement>('#icon');
  if (!icon) return;
  const svg =
    shape && `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">${shape.replace('FILL', fill ?? '')}</svg>`;
  icon.href = svg ? `data:image/svg+xml,${encodeURIComponent(svg)}` : '/favicon.svg';
}
