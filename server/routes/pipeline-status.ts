/** The setting of a pipeline that says which forge is told the states of its builds. */
import type { z } from 'zod';
import { invalid } from '../../pipelines/errors.ts';
import { defaultBase, type ForgeKind, repositoryOf } from '../forge/target.ts';
import type { Deps } from '../route.ts';
import { hostOf, type Pipeline, setStatusToken, statusToken } from '../store/pipelines.ts';
import { setStatus } from '../store/statuses.ts';
import type * as schemas from './schemas.ts';

type Body = z.infer<typeof schemas.PutPipeline>['status'];

/** To be called in the transaction that has saved the pipeline and its credentials; throws `invalid`. */
export function putStatus(
  { db, vault, now }: Pick<Deps, 'db' | 'vault' | 'now'>,
  before: Pipeline | undefined,
  saved: Pipeline,
  body: Body,
): void {
  if (body === null) {
    setStatus(db, saved.id, null, now());
    setStatusToken(db, vault, saved.id, null);
    return;
  }
  const wanted = body ?? before?.status;
  if (!wanted) return;
  const url = addressIn(wanted.url ?? null);
  const base = checkForge(saved, wanted.kind, url);
  const keepsToken = body?.token === undefined && before?.status?.hasToken;
  const baseBefore = before?.status && (before.status.url ?? defaultBase(before.source.url));
  if (keepsToken && (!baseBefore || hostOf(baseBefore) !== hostOf(base)))
    throw invalid('status.token: the forge is at another host now: give the token again, or null', 'status.token');
  if (body?.token !== undefined) setStatusToken(db, vault, saved.id, body.token);
  if (body) setStatus(db, saved.id, { kind: body.kind, url }, now());
  if (statusToken(db, vault, saved, base) === null)
    throw invalid(
      'status.token: give a token: source.credentials are none, or are meant for another host',
      'status.token',
    );
}

function addressIn(url: string | null): string | null {
  if (url === null) return null;
  const { username, password, search, hash } = new URL(url);
  if (username || password || search || hash)
    throw invalid('status.url: expected the address alone, without user, password, "?" or "#"', 'status.url');
  return url.replace(/\/+$/, '');
}

/** Where the forge is, once it is sure that the source is a repository of it. */
function checkForge({ source }: Pipeline, kind: ForgeKind, url: string | null): string {
  if (source.kind === 'svn')
    throw invalid('status: an SVN source has no commit statuses: give null, or leave it out', 'status');
  const home = defaultBase(source.url);
  if (home === null) throw invalid('status: the source is on no forge, only in a folder: give null', 'status');
  const base = url ?? home;
  if (repositoryOf(kind, source.url, base) === null) {
    const expected = kind === 'gitlab' ? 'group/project' : 'owner/repository';
    throw invalid(`status: expected the path of source.url to be ${expected}, as ${kind} has it`, 'status');
  }
  return base;
}
