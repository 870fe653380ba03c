/** What one commit costs end to end: cloned, built, pushed, deployed and healthy. */
import { join } from 'node:path';
import { commit, removeFolder, tempFolder } from '../fixtures/git-server.ts';
import type { Installation } from './installation.ts';
import { inTurns, timed } from './measure.ts';
import type { Bench, Row } from './row.ts';
import { buildingDocker, composeCommand, shell } from './shell.ts';

const BARE_PROJECT = 'slipway-bench-bare';

const FILES = {
  Dockerfile: `FROM busybox:1.36
COPY www /www
CMD ["httpd", "-f", "-p", "80", "-h", "/www"]
HEALTHCHECK --interval=200ms --retries=50 CMD wget -qO- http://127.0.0.1/index.html
`,
  'compose.yml': 'services:\n  web:\n    build: .\n    init: true\n',
  'compose.bare.yml': 'services:\n  web:\n    image: "${IMAGE}"\n    init: true\n',
  'deliver.yml':
    'steps:\n  images: { build: { compose: compose.yml } }\nrelease: { stack: bench, compose: compose.yml }\n',
};

export const delivery: Bench = {
  name: 'delivery',
  async measure({ installation, runs }): Promise<Row[]> {
    const made = await installation();
    const folder = tempFolder();
    let commits = 0;
    const change = () => {
      commits += 1;
      commit(made.repo, { 'www/index.html': `commit ${commits}\n` }, `commit ${commits}`);
    };
    await define(made);
    try {
      const { bare, ours, ratio } = await inTurns(
        runs,
        () => {
          change();
          const image = `${made.registry.host}/bare:${commits}`;
          return timed(() =>
            shell(script(), { IMAGE: image, REPO: made.repo.url, INTO: join(folder, String(commits)) }),
          );
        },
        () => {
          change();
          return timed(() => deploy(made));
        },
      );
      return [
        {
          name: 'delivery',
          work: 'a new commit: clone, image build, push, compose up, healthy; trigger → deployed',
          bare,
          ours,
          unit: 'ms',
          figure: { kind: 'ratio', value: ratio, atMost: 1.05 },
          notes: [
            `one commit end to end: ${seconds(ours.median)}; the same commands typed in a shell: ${seconds(bare.median)}`,
            'both replace a running container and wait for its health check (every 200 ms)',
            'Slipway also proves the digest in the registry and in the running container, and keeps a release',
          ],
        },
      ];
    } finally {
      await shell(`docker ps -aq --filter label=com.docker.compose.project=${BARE_PROJECT} | xargs -r docker rm -f
        docker network rm ${BARE_PROJECT}_default || true
        docker images -q '${made.registry.host}/*' | sort -u | xargs -r docker rmi -f`);
      removeFolder(folder);
    }
  },
};

async function define({ slipway, repo }: Installation): Promise<void> {
  commit(repo, { ...FILES, 'www/index.html': 'first\n' }, 'define deliver');
  await slipway.api('PUT', '/projects/bench/environments/DEV', {
    order: 1,
    engine: { kind: 'compose', host: process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock' },
    promote: 'auto',
  });
  const source = { kind: 'git', url: repo.url, branches: ['main'] };
  await slipway.api('PUT', '/projects/bench/pipelines/deliver', { source, file: 'deliver.yml', poll: '0 0 29 2 *' });
}

async function deploy({ build, events }: Installation): Promise<void> {
  const deployed = events.next((event) => event.kind === 'deployment' && event.status === 'finished');
  await build('deliver');
  const { result, reason } = await deployed;
  if (result !== 'passed') throw new Error(`the deployment ${result}: ${reason}`);
}

const script = (): string => `
git clone -q "$REPO" "$INTO"
cd "$INTO"
DOCKER_BUILDKIT=1 ${buildingDocker()} build -q -t "$IMAGE" .
docker push -q "$IMAGE"
${composeCommand()} -f compose.bare.yml -p ${BARE_PROJECT} up -d
id=$(docker ps -q --filter label=com.docker.compose.project=${BARE_PROJECT})
until [ "$(docker inspect -f '{{.State.Health.Status}}' "$id")" = healthy ]; do sleep 0.02; done
`;

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
