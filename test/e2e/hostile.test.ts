/** A developer who wants to see secrets, and who writes what other programs would read as orders. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commit, defineRepo, type Repo, removeFolder } from '../fixtures/git-server.ts';
import { needs } from '../fixtures/real.ts';
import { clearEngine, defineShop, instanceOf, mailSent, type Slipway, startSlipway } from '../fixtures/slipway.ts';
import { startSmtpServer, type TestSmtpServer } from '../fixtures/smtp-server.ts';

const BUILDS = '/projects/shop/pipelines/web/builds';
const TOKEN = 's3cr3t/+"va\'lue é&x';
const WORD = 'hunter2-hunter2';
const FORMS = [
  TOKEN,
  WORD,
  Buffer.from(TOKEN).toString('base64').slice(0, 20),
  Buffer.from(`x${TOKEN}`).toString('base64').slice(4, 20),
  Buffer.from(WORD).toString('hex'),
];
const LEAKING = `steps:
  leak:
    image: busybox:1.36
    secrets: [TOKEN, WORD]
    run:
      - 'echo "$TOKEN"; echo $WORD >&2'
      - 'printf %s "$TOKEN" | base64; printf x%s "$TOKEN" | base64'
      - 'printf %s "$WORD" | od -An -tx1 | tr -d " \\n"; echo'
      - 'printf hunt; sleep 0.2; printf er2-; printf "\\033[1mhunter2\\n"'
      - 'echo "<testsuite name=\\"s\\"><testcase name=\\"t\\"><failure message=\\"got $WORD\\"/></testcase></testsuite>" > r.xml'
    junit: r.xml
notify: { mail: { to: [team@example.com], on: [failed] } }
`;

needs(
  'docker',
  'base-image',
  'git',
)('a hostile developer', () => {
  let smtp: TestSmtpServer;
  let slipway: Slipway;
  let repo: Repo;

  beforeAll(async () => {
    smtp = await startSmtpServer();
    repo = defineRepo({ 'slipway.yml': LEAKING });
    slipway = await startSlipway({ SLIPWAY_SMTP_URL: smtp.url, SLIPWAY_MAIL_FROM: 'slipway@example.com' });
    await defineShop(slipway, null, repo.url, []);
    await slipway.api('PUT', '/projects/shop/secrets/TOKEN', { value: TOKEN });
    await slipway.api('PUT', '/projects/shop/secrets/WORD', { value: WORD });
  });
  afterAll(async () => {
    const instance = instanceOf(slipway);
    await slipway.stop();
    await clearEngine(instance);
    await smtp.stop();
    removeFolder(repo.dir);
  });

  test('finds no form of a secret in log, database, replies and mail, and adds nobody to a mail', async () => {
    commit(repo, {}, 'evil\r\nBcc: evil@example.com\r\n<script>alert(1)</script>');
    const build = await slipway.finished(`${BUILDS}/1`);
    expect(build).toMatchObject({ result: 'failed' });
    const log = await slipway.text(`${BUILDS}/1/steps/leak/log`);
    expect(log.match(/\*\*\*/g)?.length).toBeGreaterThan(5);
    await mailSent(slipway);
    const { mails } = smtp;
    expect(mails.flatMap(({ envelope }) => envelope.to).sort()).toEqual(['dev@example.com', 'team@example.com']);
    for (const { headers, html } of mails) {
      expect(headers.has('bcc')).toBe(false);
      expect(html).not.toContain('<script');
    }
    const tests = await slipway.text(`${BUILDS}/1/tests`);
    expect(tests).toContain('got ***');
    // Nothing moves in its folder any more.
    await slipway.terminate();
    const seen = [
      log,
      tests,
      JSON.stringify(build),
      ...mails.flatMap(({ text, html }) => [text, String(html)]),
      slipway.output(),
      ...stored(slipway.data),
    ];
    for (const form of FORMS) expect(seen.filter((text) => text?.includes(form))).toEqual([]);
  });
});

/** What lies in the data folder, as text; mirrors hold the repository itself. */
function stored(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('mirrors'))
    .map((entry) => readFileSync(path.join(entry.parentPath, entry.name), 'latin1'));
}
