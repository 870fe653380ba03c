import { describe, expect, it } from 'vitest';
import { messageIdOf, threadIdOf } from '../../server/notify/message-id.ts';
import { composeMail } from '../../server/notify/report.ts';
import {
  approval,
  deployed,
  deployFailed,
  everyKind,
  failed,
  fixed,
  passed,
  rolledBack,
} from '../fixtures/mail-inputs.ts';

const subjectOf = (input: (typeof everyKind)[number]): string => composeMail(input).subject;

describe('subjects', () => {
  it('say what happened to what', () => {
    expect(subjectOf(failed)).toBe('✗ FAILED shop-api main #128 – unit, 3 tests');
    expect(subjectOf(fixed)).toBe('✓ FIXED shop-api main #129');
    expect(subjectOf(passed)).toBe('✓ PASSED shop-api main #130');
    expect(subjectOf(deployed)).toBe('▲ DEPLOYED shop 2.4.1 → TEST');
    expect(subjectOf(deployFailed)).toBe('✗ DEPLOY FAILED shop 2.4.1 → PRO – apply');
    expect(subjectOf(rolledBack)).toBe('↩ ROLLED BACK shop 2.4.1 → 2.4.0 on PRO');
    expect(subjectOf(approval)).toBe('✋ APPROVE shop 2.4.1 → PRO');
  });

  it('name the project where the pipeline does not', () => {
    expect(subjectOf({ ...fixed, pipeline: 'api' })).toBe('✓ FIXED shop/api main #129');
  });

  it('tell our faults and cancellations from failures', () => {
    expect(subjectOf({ ...failed, result: 'errored', failingTests: [], failingStep: null })).toBe(
      '! ERRORED shop-api main #128',
    );
    expect(subjectOf({ ...failed, result: 'cancelled', failingTests: [] })).toBe(
      '⊘ CANCELLED shop-api main #128 – unit',
    );
  });

  it('stay one line of 150 characters, whatever a branch or step is called', () => {
    const subject = subjectOf({ ...failed, branch: 'a\r\nBcc: evil@x', failingStep: `s\n${'x'.repeat(400)}` });
    expect(subject).not.toMatch(/[\r\n]/);
    expect([...subject].length).toBeLessThanOrEqual(150);
    expect(subject).toContain('a Bcc: evil@x #128');
  });
});

describe.each(everyKind)('the mail for $kind', (input) => {
  const mail = composeMail(input);

  it('has a text twin that ends with why one gets it', () => {
    expect(mail.text).toContain(mail.subject.split(' – ')[0]);
    expect(mail.text).toContain(`Why you get this: ${input.why}.`);
    expect(mail.text).not.toMatch(/&amp;|&lt;|undefined|null|\[object/);
  });

  it('links to one page that acts on nothing by itself, and loads nothing', () => {
    const urls = [...mail.html.matchAll(/(?:href|src)="([^"]*)"/g)].map(([, url]) => url);
    expect(urls).toHaveLength(2);
    for (const url of urls) expect(url).toMatch(/^https:\/\/ci\.example\.com\/(p|env|settings)\//);
    expect(mail.html).not.toMatch(/<img|url\(|@import|<script|<link/);
  });

  it('tells mail programs that it is automatic, and what about', () => {
    expect(mail.headers).toMatchObject({
      'Auto-Submitted': 'auto-generated',
      'List-Id': '<shop.slipway.ci.example.com>',
      'List-Unsubscribe': '<https://ci.example.com/settings/mail>',
      'X-Slipway-Project': 'shop',
    });
    expect(mail.html).not.toMatch(/undefined|\[object/);
  });
});

describe('what the mails say', () => {
  it('puts new failing tests first, above the button, and the log below', () => {
    const { text } = composeMail(failed);
    const order = [
      'total (new)',
      'survives an empty basket',
      'Open build #128',
      'BUILD FAILURE',
      'Ana Dvořák',
      '✗ unit failed',
    ];
    const places = order.map((part) => text.indexOf(part));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places).not.toContain(-1);
  });

  it('says since when', () => {
    expect(composeMail(failed).text).toContain('failing since #127');
    expect(composeMail({ ...failed, since: 128 }).text).toContain('The build before it passed.');
  });

  it('groups changes by author, keeps one line of each', () => {
    const { text } = composeMail(fixed);
    expect(text.match(/Ana Dvořák/g)).toHaveLength(1);
    expect(text).not.toContain('Longer text');
  });

  it('shows digests before and after', () => {
    const { text } = composeMail(deployed);
    expect(text).toMatch(/shop\/api {2}@1a2b3c4d1a2b → {2}@9f3c1a7b9f3c {2}changed/);
    expect(text).toMatch(/postgres {2}@77de10b277de {2}unchanged/);
  });

  it('is loudest where putting the previous release back failed', () => {
    expect(composeMail(deployFailed).text).toContain('2.4.0 was put back and runs in PRO.');
    expect(composeMail({ ...deployFailed, restored: false }).text).toContain('PUTTING 2.4.0 BACK FAILED TOO');
    expect(composeMail({ ...deployFailed, restored: null }).text).toContain('What ran in PRO was not changed.');
  });
});

describe('text from outside', () => {
  const evil = `<b>x</b> & "q" 'a' {{constructor}} \`=`;

  it('is escaped in HTML and kept in text', () => {
    const change = { revision: 'abc', author: evil, email: null, message: evil, at: 0 };
    const test = { suite: '', name: evil, message: evil, isNew: false };
    const mail = composeMail({
      ...failed,
      reason: evil,
      changes: [change],
      failingTests: [test],
      log: { step: 'unit', text: evil },
    });
    expect(mail.html).not.toContain('<b>x');
    expect(mail.html).toContain('&lt;b&gt;x&lt;/b&gt; &amp; &quot;q&quot;');
    expect(mail.html).toContain('{{constructor}}');
    expect(mail.text).toContain(evil);
  });

  it('loses escape sequences, control characters and marks that reorder it', () => {
    const log =
      '\u001b[31mred\u001b[0m \u001b]8;;javascript:alert(1)\u0007link\u001b]8;;\u0007 \u202egnp.exe\u0000\n10%\r50%\r100% done\r\n';
    const { text, html } = composeMail({ ...failed, log: { step: 'unit', text: log } });
    expect(text).toContain('| red link gnp.exe\n  | 100% done');
    for (const gone of ['\u001b', '\u0000', '\u202e', 'javascript']) expect(text + html).not.toContain(gone);
  });

  it('is cut to 30 lines of 200 characters', () => {
    const log = Array.from({ length: 100 }, (_, i) => `${i} ${'😀'.repeat(300)}`).join('\n');
    const lines = composeMail({ ...failed, log: { step: 'unit', text: log } }).text.match(/\| .*/g) ?? [];
    expect(lines).toHaveLength(30);
    expect(lines[0]).toMatch(/^\| 70 /);
    expect(lines.every((line) => [...line].length <= 202 && !/[\ud800-\udbff]$/.test(line))).toBe(true);
  });

  it('never makes a mail of more than 90 KB', () => {
    const long = '"'.repeat(5000);
    const many = <T>(item: T): T[] => Array.from({ length: 500 }, () => item);
    const { html } = composeMail({
      ...failed,
      branch: long,
      reason: long,
      why: long,
      release: long,
      changes: Array.from({ length: 500 }, (_, i) => ({
        revision: long,
        author: `${i}${long}`,
        email: null,
        message: long,
        at: 0,
      })),
      steps: many({ name: long, result: 'failed' as const }),
      images: many({ name: long, digest: long }),
      failingTests: many({ suite: long, name: long, message: long, isNew: true }),
      log: { step: long, text: many(long).join('\n') },
    });
    expect(Buffer.byteLength(html)).toBeLessThan(90_000);
  });
});

describe('ids', () => {
  const mail = { runId: 7, kind: 'failed', recipient: 'ana@example.com' };

  it('are the same for the same mail, and one for each recipient', () => {
    const id = messageIdOf(mail, 'https://ci.example.com:8443/x');
    expect(id).toMatch(/^<7\.failed\.[0-9a-f]{16}@ci\.example\.com>$/);
    expect(messageIdOf({ ...mail }, 'https://ci.example.com')).toBe(id);
    expect(messageIdOf({ ...mail, recipient: 'bo@example.com' }, 'https://ci.example.com')).not.toBe(id);
  });

  it('make one thread of a broken streak', () => {
    const streak = { pipelineId: 1, branch: 'main', since: 127 };
    expect(threadIdOf(streak, 'https://a')).toBe(threadIdOf({ ...streak }, 'https://a'));
    expect(threadIdOf(streak, 'https://a')).not.toBe(threadIdOf({ ...streak, since: 130 }, 'https://a'));
  });
});
