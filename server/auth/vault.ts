/** Encryption at rest: AES-256-GCM; the key is never in the database. */
import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { AppError } from '../../pipelines/errors.ts';
import type { Config } from '../config.ts';

export interface Vault {
  /** `context` says what the text is (`secret:12`) and is needed to open it: a sealed text moved elsewhere stays closed. */
  seal(text: string, context: string): string;
  /** Throws where the key or the context is another one, or the sealed text was changed. */
  open(sealed: string, context: string): string;
}

const VERSION = 'v1';
const IV_BYTES = 12;

/** `key` has 32 bytes. */
export function createVault(key: Buffer): Vault {
  return {
    seal(text, context) {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(context));
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return [VERSION, ...[iv, cipher.getAuthTag(), body].map((part) => part.toString('base64url'))].join('.');
    },
    open(sealed, context) {
      const [version, iv, tag, body] = sealed.split('.');
      if (version !== VERSION || !iv || !tag || body === undefined) throw new Error(`${context} is not a sealed text`);
      const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(iv, 'base64url'), { authTagLength: 16 });
      decipher.setAAD(Buffer.from(context)).setAuthTag(Buffer.from(tag, 'base64url'));
      try {
        return Buffer.concat([decipher.update(Buffer.from(body, 'base64url')), decipher.final()]).toString('utf8');
      } catch (cause) {
        throw new AppError(
          'unavailable',
          'a stored secret cannot be opened: was SLIPWAY_SECRET_KEY or secret.key changed?',
          { cause },
        );
      }
    },
  };
}

/** The key of `SLIPWAY_SECRET_KEY`, else of the key file in the data folder, which is made where there is none. */
export function secretKey(config: Pick<Config, 'secretKey' | 'data'>): Buffer {
  return config.secretKey === null ? keyFile(path.join(config.data, 'secret.key')) : keyOf(config.secretKey);
}

/** 32 bytes as hex or base64 are the key itself; of anything else it is derived. */
function keyOf(text: string): Buffer {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex');
  const decoded = Buffer.from(text, 'base64');
  const isBase64 = /^[A-Za-z0-9+/]{43}=?$/.test(text) && decoded.length === 32;
  return isBase64 ? decoded : scryptSync(text, 'slipway.secret-key', 32, { N: 2 ** 15, r: 8, p: 1, maxmem: 2 ** 26 });
}

function keyFile(file: string): Buffer {
  if (!existsSync(file)) {
    mkdirSync(path.dirname(file), { recursive: true });
    // Renamed into place, so that a crash leaves no half key behind.
    writeFileSync(`${file}.new`, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flush: true });
    renameSync(`${file}.new`, file);
  }
  if ((statSync(file).mode & 0o077) !== 0) {
    throw new AppError('invalid', `${file} can be read by others: chmod 600 it`);
  }
  const text = readFileSync(file, 'utf8').trim();
  if (!/^[0-9a-f]{64}$/i.test(text))
    throw new AppError('invalid', `${file} does not hold a key of 64 hexadecimal digits`);
  return Buffer.from(text, 'hex');
}
