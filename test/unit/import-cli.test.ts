import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'slipway-import-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function slipway(args: string[], input = '') {
  const child = spawn(process.execPath, ['--import', 'tsx', path.join(root, 'server/cli/main.ts'), 'import', ...args], {
    cwd: root,
    env: { ...process.env, NODE_OPTIONS: '', NO_COLOR: '1' },
  });
  child.stdin.end(input);
  const [[code], out, err] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]);
  return { code: code as number | null, out, err };
}

const STEPS = "steps { sh 'make'; input 'Go?' }";
const JENKINSFILE = `pipeline { stages { stage('Build') { ${STEPS} } } }\n`;

describe('slipway import', () => {
  it('prints the file, and what to look at on standard error', async () => {
    const { code, out, err } = await slipway(['-'], JENKINSFILE);
    expect(code).toBe(0);
    expect(out).toContain('      - make\n');
    expect(err).toContain("– standard input:1: input 'Go?' - approvals belong to an environment");
    expect(err).toContain('One thing to look at');
  });

  it('tells XML by how it begins, and prints JSON', async () => {
    const xml =
      '\n<project><builders><hudson.tasks.Shell><command>go test</command></hudson.tasks.Shell></builders></project>';
    const { code, out, err } = await slipway(['-', '--json'], xml);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ yaml: expect.stringContaining('golang:1'), notes: [] });
    expect(err).toBe('');
  });

  it('writes a file that is not there yet', async () => {
    const [jenkinsfile, file] = [path.join(folder, 'Jenkinsfile'), path.join(folder, 'slipway.yml')];
    writeFileSync(jenkinsfile, JENKINSFILE);
    const first = await slipway([jenkinsfile, '--output', file]);
    expect(first).toMatchObject({ code: 0, out: '' });
    expect(readFileSync(file, 'utf8')).toContain('- make');
    const second = await slipway([jenkinsfile, '--output', file]);
    expect(second).toMatchObject({ code: 2, err: `slipway: ${file} is there already\n` });
  });

  it('ends with 2 for what cannot be read', async () => {
    expect(await slipway(['nowhere'])).toMatchObject({ code: 2, err: 'slipway: cannot read nowhere: ENOENT\n' });
    expect(await slipway(['-', '--json'], 'x'.repeat(300_000))).toMatchObject({
      code: 2,
      out: expect.stringContaining('256 KiB'),
    });
  });
});
