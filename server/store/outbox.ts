/** Mail that a transaction owes. One row a recipient; asking twice is asking once. */
import type { MailKind } from '../notify/mail-input.ts';
import { change, type Db } from './db.ts';

export interface Recipient {
  address: string;
  /** A sentence: why this one gets it. */
  why: string;
}

export function owe(db: Db, runId: number, kind: MailKind, recipients: readonly Recipient[], now: number): void {
  for (const { address, why } of recipients) {
    change(
      db,
      'INSERT OR IGNORE INTO outbox (run_id, kind, recipient, why, created_at, next_at) VALUES (?, ?, ?, ?, ?, ?)',
      runId,
      kind,
      address,
      why,
      now,
      now,
    );
  }
}
