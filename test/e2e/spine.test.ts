/** The whole main job on real parts, and what happens where a part fails: one server process, real engine, registry, Git, SMTP. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commit, defineRepo, type Repo, removeFolder } from '../fixtures/git-server.ts';
import { needs } from '../fixtures/real.ts';
import { type RegistryServer, startRegistry } from '../fixtures/registry-server.ts';
import {
  clearEngine,
  containersWith,
  defineShop,
  eventually,
  idle,
  imagesWith,
  instanceOf,
  leftovers,
  mailSent,
  type Slipway,
  startSlipway,
} from '../fixtures/slipway.ts';
import { startSmtpServer, type TestSmtpServer } from '../fixtures/smtp-server.ts';

const BUILDS = '/projects/shop/pipelines/web/builds';
const DEV = '/projects/shop/environments/DEV';
const PRO = '/projects/shop/environments/PRO';
/** Names that nothing else on this machine has, not even these tests where they run twice. */
const STACK = `spine-${process.pid}`;
const IN_DEV = `com.docker.compose.project=shop-dev-${STACK}`;
const IN_PRO = `com.docker.compose.project=shop-pro-${STACK}`;
const SLEEP = `sleep 600.${process.pid}`;

const FILES = {
  Dockerfile:
    'FROM busybox:1.36\nCOPY www /www\nCMD ["httpd","-f","-p","80","-h","/www"]\nHEALTHCHECK --interval=1s --retries=3 CMD wget -qO- http://127.0.0.1/hello.txt\n',
  'www/hello.txt': 'hello 1\n',
  'compose.yml': 'services:\n  web:\n    build: .\n    stop_grace_period: 1s\n',
  'slipway.yml': `steps:
  images: { build: { compose: compose.yml } }
release:
  version: "1.\${number}"
  stack: ${STACK}
  compose: compose.yml
  verify:
    smoke: { image: "busybox:1.36", run: ["wget -qO- http://web/hello.txt"] }
notify: { mail: { to: [team@example.com], on: [failed, fixed, deployed] } }
`,
};

needs(
  'docker',
  'base-image',
  'registry',
  'compose',
  'git',
)('the spine', () => {
  let registry: RegistryServer;
  let smtp: TestSmtpServer;
  let slipway: Slipway;
  let repo: Repo;
  let builds = 0;

  beforeAll(async () => {
    registry = await startRegistry();
    smtp = await startSmtpServer();
    repo = defineRepo(FILES);
    slipway = await startSlipway({ SLIPWAY_SMTP_URL: smtp.url, SLIPWAY_MAIL_FROM: 'slipway@example.com' });
    await defineShop(slipway, registry, repo.url, ['DEV', 'PRO']);
  });
  afterAll(async () => {
    const instance = instanceOf(slipway);
    await slipway.stop();
    await clearEngine(instance);
    await registry.stop();
    await smtp.stop();
    removeFolder(repo.dir);
  });

  /** Commits, and answers the build that comes of it by itself. */
  async function push(files: Record<string, string>, message?: string) {
    const revision = commit(repo, files, message);
    builds += 1;
    const build = await slipway.finished(`${BUILDS}/${builds}`);
    expect(build.revision).toBe(revision);
    return build;
  }
  const mailsAbout = (subject: RegExp) => smtp.mails.filter((mail) => subject.test(mail.subject ?? ''));
  const current = async (environment: string) => (await slipway.api('GET', environment)).stacks[0]?.current ?? null;

  test('one commit is built, pushed, deployed to DEV, tested and mailed about; a promotion puts the same digest into PRO', async () => {
    const build = await push({ 'www/hello.txt': 'hello 2\n' }, 'say hello');
    expect(build).toMatchObject({
      result: 'passed',
      trigger: 'poll',
      release: '1.1',
      changes: [{ message: 'say hello' }],
    });
    const deployed = await slipway.finished(`${DEV}/deployments/1`);
    expect(deployed).toMatchObject({ result: 'passed', release: '1.1' });
    expect(await slipway.text(`${DEV}/deployments/1/steps/smoke/log`)).toContain('hello 2');
    await mailSent(slipway);
    expect(mailsAbout(/DEPLOYED.*1\.1.*DEV/).length).toBeGreaterThan(0);
    const asked = await slipway.api('POST', `${PRO}/deployments`, { release: '1.1' });
    expect(await slipway.finished(`${PRO}/deployments/${asked.number}`)).toMatchObject({ result: 'passed' });
    const digest = build.images[0].digest;
    for (const environment of [DEV, PRO]) {
      const now = await current(environment);
      expect(now.images.map((image: { digest: string }) => image.digest)).toContain(digest);
      expect(now.services).toMatchObject([{ name: 'web', healthy: 1, digest }]);
    }
    const [container] = containersWith(IN_PRO);
    expect(
      execFileSync('docker', ['inspect', '-f', '{{.Config.Image}}', container ?? ''], { encoding: 'utf8' }),
    ).toContain(digest);
  });

  test('a Dockerfile that fails: its output is in the log, and the mail names the step', async () => {
    const build = await push(
      { Dockerfile: 'FROM busybox:1.36\nRUN echo "cannot find the widget" && exit 3\n' },
      'break the Dockerfile',
    );
    expect(build).toMatchObject({
      result: 'failed',
      release: null,
      steps: [{ name: 'images', result: 'failed' }, { result: 'skipped' }],
    });
    expect(await slipway.text(`${BUILDS}/${build.number}/steps/images/log`)).toContain('cannot find the widget');
    await mailSent(slipway);
    const mails = mailsAbout(/FAILED/);
    expect(mails.flatMap(({ envelope }) => envelope.to).sort()).toEqual(['dev@example.com', 'team@example.com']);
    for (const { subject, text } of mails) {
      expect(subject).toMatch(/FAILED.*images/);
      expect(text).toContain('cannot find the widget');
    }
  });

  test('tests that fail: red, with their names and messages; fixed when they pass again', async () => {
    const junit = (body: string) =>
      `printf '%s' '<testsuite name="cart"><testcase name="adds"/>${body}</testsuite>' > junit.xml`;
    const file = (body: string) =>
      `steps:\n  unit:\n    image: busybox:1.36\n    run: [${JSON.stringify(junit(body))}]\n    junit: junit.xml\n` +
      'notify: { mail: { to: [team@example.com] } }\n';
    const red = await push({
      'slipway.yml': file('<testcase name="removes"><failure message="2 is not 1">stack</failure></testcase>'),
    });
    expect(red).toMatchObject({
      result: 'failed',
      steps: [{ name: 'unit', result: 'failed', reason: expect.stringContaining('1 of 2 tests') }],
    });
    const tests = await slipway.api('GET', `${BUILDS}/${red.number}/tests`);
    expect(tests).toMatchObject({ total: 2, passed: 1, failed: 1, skipped: 0 });
    const failing = tests.items.find((item: { result: string }) => item.result === 'failed');
    expect(failing).toMatchObject({ suite: 'cart', name: 'removes', message: expect.stringContaining('2 is not 1') });
    expect(await push({ 'slipway.yml': file('') })).toMatchObject({ result: 'passed' });
    await mailSent(slipway);
    expect(mailsAbout(/FIXED/).length).toBeGreaterThan(0);
  });

  test('a container that is never healthy: the previous release is back, and result, log and mail say so', async () => {
    const build = await push(
      { ...FILES, Dockerfile: `${FILES.Dockerfile}HEALTHCHECK --interval=1s --retries=2 CMD false\n` },
      'break the health check',
    );
    expect(build.result).toBe('passed');
    const deployments = (await slipway.api('GET', `${DEV}/deployments`)).items;
    const failed = await slipway.finished(`${DEV}/deployments/${deployments[0].number}`);
    expect(failed).toMatchObject({ result: 'failed', restored: true, release: build.release });
    expect(failed.reason).toMatch(/web.*unhealthy.*restored/s);
    expect((await current(DEV)).release).toBe('1.1');
    await mailSent(slipway);
    expect(smtp.mails.filter((mail) => /restored/i.test(mail.text ?? '')).length).toBeGreaterThan(0);
    const [container] = containersWith(IN_DEV);
    expect(execFileSync('docker', ['exec', container ?? '', 'cat', '/www/hello.txt'], { encoding: 'utf8' })).toBe(
      'hello 2\n',
    );
  });

  test('a push that is refused: errored, fast, and the reason says what to do', async () => {
    const locked = await startRegistry({ htpasswd: { user: 'ci', password: 'right-password' } });
    await slipway.api('PUT', '/projects/shop/registry', {
      url: locked.host,
      insecure: true,
      username: 'ci',
      password: 'wrong-password',
    });
    const build = await push({ ...FILES, 'www/hello.txt': 'refused\n' });
    expect(build).toMatchObject({ result: 'errored', images: [] });
    expect(build.reason).toMatch(/registry.*(credentials|password|refused)/i);
    await slipway.api('PUT', '/projects/shop/registry', {
      url: locked.host,
      insecure: true,
      username: 'ci',
      password: 'right-password',
    });
    const again = await slipway.api('POST', `${BUILDS}/${build.number}/retry`);
    builds += 1;
    expect(await slipway.finished(`${BUILDS}/${again.number}`)).toMatchObject({
      result: 'passed',
      revision: build.revision,
      trigger: 'retry',
    });
    // Its deployment may still ask that registry.
    await idle(slipway);
    await slipway.api('PUT', '/projects/shop/registry', {
      url: registry.host,
      insecure: true,
      username: null,
      password: null,
    });
    await locked.stop();
  });

  test('a repository that goes away: the error is shown, and the commit is built when it is back', async () => {
    const moved = `${repo.dir}.away`;
    execFileSync('mv', [repo.dir, moved]);
    const watch = () => slipway.api('GET', '/projects/shop/pipelines/web/watch');
    await eventually('the error', async () => JSON.stringify(await watch()).includes('there is no such repository'));
    execFileSync('mv', [moved, repo.dir]);
    expect((await push({ 'www/hello.txt': 'back\n' })).result).toBe('passed');
    await eventually('no error', async () => !JSON.stringify(await watch()).includes('no such repository'));
  });

  describe('cancel', () => {
    const step = (what: string) => `steps:\n  slow: ${what}\n`;
    const cases: [string, Record<string, string>, string][] = [
      [
        'a run step',
        {
          'slipway.yml': step(
            `{ image: "busybox:1.36", run: ["echo sleeping; trap : TERM; ${SLEEP} & while :; do sleep 1; done"] }`,
          ),
        },
        'slow',
      ],
      [
        'an image step',
        {
          'slipway.yml': step('{ build: { image: shop/slow } }'),
          Dockerfile: `FROM busybox:1.36\nRUN ${SLEEP}\n`,
        },
        'slow',
      ],
    ];
    test.each(cases)('of %s: cancelled in time, nothing left', async (_, files, name) => {
      commit(repo, files);
      builds += 1;
      const at = `${BUILDS}/${builds}`;
      await eventually('its log', async () => {
        const { status, body } = await slipway.ask('GET', at);
        const running =
          status === 200 &&
          body.steps.some((each: { name: string; status: string }) => each.name === name && each.status === 'running');
        return running && (await slipway.text(`${at}/steps/${name}/log`)).includes('sleep');
      });
      await slipway.api('POST', `${at}/cancel`);
      expect(await slipway.finished(at)).toMatchObject({ result: 'cancelled' });
      await eventually('nothing left', () => leftovers(instanceOf(slipway)).length === 0 && !isRunning(SLEEP));
    });

    test.each([
      [
        'a deploy step',
        'web',
        { Dockerfile: FILES.Dockerfile.replace(/HEALTHCHECK.*/, 'HEALTHCHECK --interval=1s --retries=600 CMD false') },
        'deploy',
      ],
      [
        'a verify step',
        'web',
        { 'slipway.yml': FILES['slipway.yml'].replace('wget -qO- http://web/hello.txt', SLEEP) },
        'smoke',
      ],
    ])('of %s: cancelled in time, and what ran before is back', async (_, service, change, name) => {
      await idle(slipway);
      const before = (await current(DEV)).release;
      const build = await push({ ...FILES, ...change });
      const [{ number }] = (await slipway.api('GET', `${DEV}/deployments`)).items;
      const at = `${DEV}/deployments/${number}`;
      await eventually(`${name} to run`, async () =>
        (await slipway.api('GET', at)).steps.some(
          (each: { name: string; status: string }) => each.name === name && each.status === 'running',
        ),
      );
      if (name === 'deploy')
        await eventually('the new container', () =>
          imagesWith(IN_DEV).some((image) => image.includes(build.images[0].digest)),
        );
      await slipway.api('POST', `${at}/cancel`);
      expect(await slipway.finished(at)).toMatchObject({ result: 'cancelled', restored: true });
      const now = await current(DEV);
      expect(now.release).toBe(before);
      const images = imagesWith(IN_DEV, `com.docker.compose.service=${service}`);
      expect(images).toEqual([expect.stringContaining(now.services[0].digest)]);
      await eventually('nothing left', () => leftovers(instanceOf(slipway)).length === 0);
    });
  });
});

function isRunning(command: string): boolean {
  const all = execFileSync('ps', ['-eo', 'args='], { encoding: 'utf8' });
  return all.split('\n').some((line) => line.trim() === command);
}
