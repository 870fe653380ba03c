/** The two syntaxes of a service's `volumes:` as one. */
import { type ComposeMap, isMap } from './document.ts';

export interface Mount {
  /** `bind`, `volume`, `tmpfs`…: as written, or told from the source. */
  type: string;
  /** null for an anonymous volume or a tmpfs. */
  source: string | null;
  target: string;
  readOnly: boolean;
  /** What the long syntax says beside these. */
  options: ComposeMap;
}

/** Reads an entry of `volumes:`; null where it is neither text nor a map. */
export function parseMount(entry: unknown): Mount | null {
  if (isMap(entry)) return parseLong(entry);
  return typeof entry === 'string' ? parseShort(entry) : null;
}

function parseLong({ type, source, target, read_only, ...options }: ComposeMap): Mount {
  const text = typeof source === 'string' ? source : null;
  const guessed = text !== null && isPath(text) ? 'bind' : 'volume';
  return {
    type: typeof type === 'string' ? type : guessed,
    source: text,
    target: normalTarget(String(target ?? '')),
    readOnly: read_only === true || read_only === 'true',
    options,
  };
}

function parseShort(entry: string): Mount {
  const parts = splitColons(entry);
  if (isWindowsDrive(parts)) parts.splice(0, 2, `${parts[0]}:${parts[1]}`);
  const [first = '', second, mode = ''] = parts;
  const common = { readOnly: mode.split(',').includes('ro'), options: {} };
  if (second === undefined) return { type: 'volume', source: null, target: normalTarget(first), ...common };
  return { type: isPath(first) ? 'bind' : 'volume', source: first, target: normalTarget(second), ...common };
}

/** `C:\data:/data`, and `c:/data:/data` but not `c:/data`, which is a volume named c. */
function isWindowsDrive([drive = '', path = '', target = '']: string[]): boolean {
  return /^[A-Za-z]$/.test(drive) && (path.startsWith('\\') || (path.startsWith('/') && /^[/\\]/.test(target)));
}

/** Splits at colons that are not inside `${…}`. */
export function splitColons(text: string): string[] {
  const parts = [''];
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '$' && text[at + 1] === '{') depth++;
    if (char === '}' && depth > 0) depth--;
    if (char === ':' && depth === 0) parts.push('');
    else parts[parts.length - 1] += char;
  }
  return parts;
}

/** Compose's own rule for telling a path from the name of a volume. */
export const isPath = (source: string): boolean => /^[./~]|^\\|^[A-Za-z]:[\\/]/.test(source);
/** A path of the host, or in somebody's home there. */
export const isHostPath = (source: string): boolean => /^[/~\\]|^[A-Za-z]:[\\/]/.test(source);

const normalTarget = (target: string): string => (target.length > 1 ? target.replace(/\/+$/, '') : target);
