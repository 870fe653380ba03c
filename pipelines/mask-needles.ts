/** The forms in which a secret may turn up in a log. */

/** Shorter ones (secrets are refused below 8 when they are saved) would shred a log and hide nothing. */
const LEAST = 4;
const LEAST_LINE = 8;

/** Every form of every secret, as bytes, each once. */
export function needlesOf(secrets: readonly string[]): Uint8Array[] {
  const forms = new Map<string, Buffer>();
  const add = (form: Buffer | string) => {
    const bytes = Buffer.from(form);
    if (bytes.length >= LEAST) forms.set(bytes.toString('latin1'), bytes);
  };
  for (const secret of secrets) {
    if (Buffer.byteLength(secret) < LEAST) continue;
    add(secret);
    for (const form of [...hexForms(secret), ...urlForms(secret), ...quotedForms(secret), ...base64Forms(secret)])
      add(form);
    for (const line of secret.split('\n')) if (line.trim().length >= LEAST_LINE) add(line.trim());
  }
  return [...forms.values()];
}

function hexForms(secret: string): string[] {
  const hex = Buffer.from(secret).toString('hex');
  return [hex, hex.toUpperCase()];
}

/** As browsers, forms and RFC 3986 have it, with `%2F` and `%2f`. */
function urlForms(secret: string): string[] {
  const browser = Buffer.from(secret).toString() === secret ? encodeURIComponent(secret) : '';
  const strict = browser.replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  const forms = [
    browser,
    strict,
    browser.replaceAll('%20', '+'),
    strict.replaceAll('%20', '+'),
    strict.replaceAll('%2F', '/'),
  ];
  return forms.flatMap((form) => [form, form.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())]);
}

/** Inside a JSON text (also with ASCII only, or `\/`), and as `sh -x` shows a word with quotes in it. */
function quotedForms(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  const ascii = json.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return [json, ascii, json.replaceAll('/', '\\/'), secret.replaceAll("'", "'\\''"), secret.replaceAll("'", "'\"'\"'")];
}

/**
 * Base64 of any text that contains the secret: it depends on where in a group of three bytes the secret begins, and the
 * characters that also hold bits of its neighbours are left off. The lines that `base64` and `openssl` wrap a long one
 * into are forms of their own.
 */
function base64Forms(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const aligned = [0, 1, 2].map((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
    return text.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
  });
  const wrapped = [64, 76].flatMap((width) => {
    const lines = aligned[0]?.match(new RegExp(`.{1,${width}}`, 'g')) ?? [];
    return lines.length > 1 ? lines.filter((line) => line.length >= LEAST_LINE) : [];
  });
  const standard = [...aligned, ...wrapped];
  return [...standard, ...standard.map((form) => form.replaceAll('+', '-').replaceAll('/', '_'))];
}
