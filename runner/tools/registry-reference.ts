/** Image references, strictly: the grammar of the OCI distribution specification, nothing a command line could mistake. */
import { invalid } from '../../pipelines/errors.ts';

export interface ImageReference {
  /** `host[:port]`, or null where the text names none. */
  registry: string | null;
  repository: string;
  tag: string | null;
  digest: string | null;
}

const HOST = /^(\[[0-9a-fA-F:]+\]|[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?)(:[0-9]{1,5})?$/;
const REPOSITORY = /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** Parses `[host[:port]/]name[:tag][@sha256:…]`. Throws `invalid` (field `image`). */
export function parseReference(text: string): ImageReference {
  // Longer is no reference, and would only feed the patterns below.
  if (text.length > 512) throw malformed(text);
  const [named = '', digest = null, ...more] = text.split('@');
  const slash = named.indexOf('/');
  const first = named.slice(0, Math.max(0, slash));
  // As Docker has it: the first part is a host where it could not be part of a name.
  const hasHost = /[.:[]/.test(first) || first === 'localhost' || first !== first.toLowerCase();
  const rest = hasHost ? named.slice(slash + 1) : named;
  const colon = rest.lastIndexOf(':');
  const repository = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? null : rest.slice(colon + 1);
  const good =
    more.length === 0 &&
    (!hasHost || HOST.test(first)) &&
    repository.length <= 255 &&
    REPOSITORY.test(repository) &&
    (tag === null || TAG.test(tag)) &&
    (digest === null || DIGEST.test(digest));
  if (!good) throw malformed(text);
  return { registry: hasHost ? first : null, repository, tag, digest };
}

const malformed = (text: string) =>
  invalid(
    `${JSON.stringify(text.slice(0, 100))} is not an image reference; expected [host[:port]/]name[:tag][@sha256:…] with a name in lower case`,
    'image',
  );
