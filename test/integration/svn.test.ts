import type { SourceCredentials } from '../../pipelines/model.ts';
import { type ScmBench, scmContract } from '../contract/scm.ts';
import { removeFolder, tempFolder } from '../fixtures/git-server.ts';
import { needs } from '../fixtures/real.ts';
import { DEV, scm } from '../fixtures/svn-bench.ts';
import {
  change,
  commitSvn,
  defineSvnRepo,
  type SvnServer,
  serveDav,
  serveSvn,
  serveSvnSsh,
} from '../fixtures/svn-server.ts';

async function bench(
  serve: (root: string) => Promise<Partial<SvnServer> & { credentials?: SourceCredentials }>,
): Promise<ScmBench> {
  const root = tempFolder();
  const repo = defineSvnRepo(undefined, root);
  const server = await serve(root);
  return {
    scm,
    source: { kind: 'svn', url: server.urlOf?.(repo) ?? repo.url, branches: ['trunk'] },
    credentials: server.credentials ?? null,
    branch: 'trunk',
    commit: (files, message) => commitSvn(repo, files, message),
    createBranch: (name) => change(repo, 'cp', 'trunk', name),
    deleteBranch: (name) => void change(repo, 'rm', name),
    stop: async () => {
      await server.stop?.();
      removeFolder(root);
    },
  };
}

needs('svn')('svn', () => {
  scmContract('svn by file://', () => bench(async () => ({})));
  scmContract('svn by svn:// with a password', () =>
    bench(async (root) => ({ ...(await serveSvn(root, DEV)), credentials: DEV })),
  );
});
needs('svn', 'apache-svn')('svn', () => {
  scmContract('svn by http with a password', () =>
    bench(async (root) => ({ ...(await serveDav(root, DEV)), credentials: DEV })),
  );
});
needs('svn', 'sshd')('svn', () => {
  scmContract('svn by svn+ssh', () =>
    bench(async () => {
      const server = await serveSvnSsh();
      return { ...server, credentials: { sshKey: server.privateKey, knownHosts: server.knownHosts } };
    }),
  );
});
