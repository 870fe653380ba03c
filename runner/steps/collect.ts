/** Gathers what a script left in the workspace: artifacts and test reports. Everything there is hostile until looked at. */
import { constants } from 'node:fs';
import { type FileHandle, open, readdir, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import picomatch from 'picomatch';
import { AppError, invalid } from '../../pipelines/errors.ts';
import { compileGlob } from '../../pipelines/glob.ts';
import type { Artifact, ScriptSpec, TestResult } from '../../pipelines/model.ts';
import { parseJunit } from '../junit.ts';
import type { StepContext } from './step.ts';

export const MAX_ARTIFACTS = 1_000;
export const MAX_ARTIFACT_BYTES = 1024 ** 3;
const MAX_REPORT_BYTES = 20 * 1024 ** 2;
const MAX_REPORTS = 5_000;

/** Stores the artifacts; `problem` says why not all of them are kept. */
export async function collectArtifacts(
  step: Pick<ScriptSpec, 'artifacts'>,
  { workspace, blobs, log, signal }: StepContext,
): Promise<{ artifacts: Artifact[]; problem: string | null }> {
  if (step.artifacts.length === 0) return { artifacts: [], problem: null };
  const paths = await findFiles(workspace, step.artifacts, MAX_ARTIFACTS, signal);
  const which = `artifacts ${step.artifacts.join(', ')}`;
  if (paths.length === 0) log.notice(`${which}: no file matches`);
  if (paths.length > MAX_ARTIFACTS)
    return { artifacts: [], problem: `${which}: more than ${MAX_ARTIFACTS} files match; at most that many are kept` };
  const artifacts: Artifact[] = [];
  let total = 0;
  for (const path of paths) {
    signal.throwIfAborted();
    const stored = await withFile(workspace, path, async (handle, size) => {
      total += size;
      return total > MAX_ARTIFACT_BYTES ? null : { path, ...(await blobs.putFile(pathOf(handle))) };
    });
    if (stored === null) return { artifacts, problem: `${which}: more than 1 GiB in total; at most that much is kept` };
    if (stored) artifacts.push(stored);
  }
  return { artifacts, problem: null };
}

/** The results in all JUnit reports; what cannot be read is told in the log. */
export async function collectTests(
  step: Pick<ScriptSpec, 'junit'>,
  { workspace, log, signal }: StepContext,
): Promise<TestResult[]> {
  if (step.junit.length === 0) return [];
  const paths = await findFiles(workspace, step.junit, MAX_REPORTS, signal);
  if (paths.length === 0) log.notice(`junit ${step.junit.join(', ')}: no file matches`);
  if (paths.length > MAX_REPORTS)
    log.notice(`junit ${step.junit.join(', ')}: only the first ${MAX_REPORTS} reports are read`);
  const tests: TestResult[] = [];
  for (const path of paths.slice(0, MAX_REPORTS)) {
    signal.throwIfAborted();
    const xml = await withFile(workspace, path, async (handle, size) =>
      size > MAX_REPORT_BYTES ? null : handle.readFile('utf8'),
    );
    if (xml === null) log.notice(`${path} is larger than ${MAX_REPORT_BYTES / 1024 ** 2} MiB: not read`);
    if (typeof xml === 'string') tests.push(...readReport(path, xml, log.notice));
  }
  return tests;
}

export function readReport(path: string, xml: string, notice: (text: string) => void): TestResult[] {
  try {
    return parseJunit(xml);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    notice(`${path} cannot be read as a JUnit report: ${error.message}`);
    return [];
  }
}

/**
 * Regular files below `folder` that match, sorted, `/`-separated; stops at one more than `max`. Links are not followed.
 * A pattern that names a folder takes all that is in it; `!pattern` leaves out.
 */
export async function findFiles(
  folder: string,
  patterns: readonly string[],
  max: number,
  signal: AbortSignal,
): Promise<string[]> {
  const wanted = patterns.filter((pattern) => !pattern.startsWith('!')).map(checked);
  const unwanted = patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => checked(pattern.slice(1)));
  const withContent = (all: string[]) =>
    all.flatMap((pattern) => [pattern, `${pattern}/**`]).map((pattern) => compileGlob(pattern, { classes: true }));
  const takes = withContent(wanted);
  const leavesOut = withContent(unwanted);
  const matches = (path: string) =>
    takes.some((matches) => matches(path)) && !leavesOut.some((matches) => matches(path));
  const bases = wanted.map((pattern) => picomatch.scan(pattern).base);
  const leadsToOne = (path: string) => bases.some((base) => base === '' || within(path, base) || within(base, path));
  const found: string[] = [];
  const walk = async (path: string): Promise<void> => {
    signal.throwIfAborted();
    for (const entry of await readdir(join(folder, path), { withFileTypes: true })) {
      if (found.length > max) return;
      const name = path === '' ? entry.name : `${path}/${entry.name}`;
      if (entry.isDirectory() && !REPOSITORY_FOLDERS.has(entry.name) && leadsToOne(name)) await walk(name);
      else if (entry.isFile() && matches(name)) found.push(name);
    }
  };
  await walk('');
  return found.sort();
}

const REPOSITORY_FOLDERS = new Set(['.git', '.svn']);
const within = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);

function checked(pattern: string): string {
  const clean = pattern.replace(/^(\.\/)+/, '').replace(/\/+$/, '');
  if (clean.startsWith('/') || clean.split('/').includes('..'))
    throw invalid(`${pattern}: must be a path below the workspace`);
  return clean === '.' ? '**' : clean;
}

/**
 * Calls `use` with the opened file; undefined where it is no regular file of the workspace any more. Another step may
 * be exchanging files for links at this moment, so what counts is what was opened, not what was listed.
 */
async function withFile<T>(
  folder: string,
  path: string,
  use: (handle: FileHandle, size: number) => Promise<T>,
): Promise<T | undefined> {
  const handle = await openOrNull(join(folder, path));
  if (!handle) return undefined;
  try {
    const stats = await handle.stat();
    const real = await realpath(pathOf(handle));
    return stats.isFile() && real.startsWith((await realpath(folder)) + sep)
      ? await use(handle, stats.size)
      : undefined;
  } finally {
    await handle.close();
  }
}

/** Names the opened file itself, whatever becomes of its path. */
const pathOf = (handle: FileHandle): string => `/proc/self/fd/${handle.fd}`;

async function openOrNull(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (['ELOOP', 'ENOENT', 'ENOTDIR', 'ENXIO'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}
