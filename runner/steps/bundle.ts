/** Files that travel with a release: found in the workspace, stored by content. */
import { readdir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import picomatch from 'picomatch';
import type { Reference } from '../../pipelines/compose/references.ts';
import { AppError, invalid } from '../../pipelines/errors.ts';
import { compileGlob } from '../../pipelines/glob.ts';
import type { ReleaseFile } from '../../pipelines/model.ts';
import type { BlobAccess } from './step.ts';
import { realInside } from './workspace-files.ts';

const MAX_FILES = 2_000;
const MAX_BYTES = 200 * 1024 * 1024;
/** Of the version control system, not of the application. */
const SKIPPED = new Set(['.git', '.svn']);

/** A regular file of the workspace; `real` is where its content is, links followed. */
interface Found {
  path: string;
  real: string;
  size: number;
  mode: number;
}

export interface Bundle {
  files: ReleaseFile[];
  /** Mounts of folders or files that the workspace does not have. */
  missing: Reference[];
}

/**
 * Stores what `globs` and `references` name. Links are followed inside the workspace and refused outside. Throws
 * `invalid` for what is missing or no regular file, `too_large` past 2,000 files or 200 MiB.
 */
export async function bundle(
  workspace: string,
  globs: readonly string[],
  references: readonly Reference[],
  blobs: BlobAccess,
  signal: AbortSignal,
): Promise<Bundle> {
  const collector = new Collector(await realpath(workspace));
  for (const glob of globs) await collector.addGlob(glob);
  const missing: Reference[] = [];
  for (const reference of references) {
    const found = await collector.addPath(reference.path, reference.where);
    if (found) continue;
    if (reference.required)
      throw invalid(
        `${reference.where}: the workspace has no ${reference.path}: commit it (does .gitignore name it?), or let a step write it`,
        reference.where,
      );
    if (reference.kind === 'mount') missing.push(reference);
  }
  const files: ReleaseFile[] = [];
  for (const { path, real, mode } of collector.found()) {
    signal.throwIfAborted();
    files.push({ path, mode, ...(await blobs.putFile(real)) });
  }
  return { files, missing };
}

class Collector {
  private readonly root: string;
  private readonly files = new Map<string, Found>();
  private bytes = 0;

  constructor(root: string) {
    this.root = root;
  }

  /** In order of path, so that the same workspace makes the same release. */
  found(): Found[] {
    return [...this.files.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** A plain path of a folder stands for everything in it. */
  async addGlob(written: string): Promise<void> {
    const where = 'release.files';
    const glob = path.posix.normalize(written).replace(/\/$/, '');
    if (path.posix.isAbsolute(glob) || glob.startsWith('../') || glob === '..') {
      throw invalid(`${where}: ${written} leads out of the workspace`, where);
    }
    const { base, isGlob } = picomatch.scan(glob);
    const matches = isGlob ? compileGlob(glob, { classes: true }) : () => true;
    const before = this.files.size;
    const present = await this.walk(isGlob ? base : glob === '.' ? '' : glob, where, matches, []);
    const known = [...this.files.keys()].some(
      (file) => matches(file) && (isGlob || file === glob || file.startsWith(`${glob}/`)),
    );
    if (!present || (this.files.size === before && !known))
      throw invalid(`${where}: ${written} matches no file`, where);
  }

  /** A file, or a folder with all that is in it. Answers false where there is nothing. */
  addPath(relative: string, where: string): Promise<boolean> {
    return this.walk(relative, where, () => true, []);
  }

  private async walk(
    relative: string,
    where: string,
    matches: (path: string) => boolean,
    above: readonly string[],
  ): Promise<boolean> {
    const real = await realInside(this.root, relative, where);
    if (real === null) return false;
    const info = await stat(real);
    if (info.isDirectory()) {
      if (above.includes(real)) throw invalid(`${where}: ${relative} is a link to a folder above it`, where);
      for (const name of (await readdir(real)).sort()) {
        if (!SKIPPED.has(name)) await this.walk(path.posix.join(relative, name), where, matches, [...above, real]);
      }
    } else if (matches(relative)) {
      if (!info.isFile()) throw invalid(`${where}: ${relative} is not a regular file`, where);
      this.add({ path: relative, real, size: info.size, mode: info.mode & 0o777 });
    }
    return true;
  }

  private add(file: Found): void {
    if (this.files.has(file.path)) return;
    this.files.set(file.path, file);
    this.bytes += file.size;
    if (this.files.size > MAX_FILES || this.bytes > MAX_BYTES) {
      throw new AppError(
        'too_large',
        `a release bundles at most ${MAX_FILES} files and 200 MiB: ${file.path} is one too many`,
      );
    }
  }
}
