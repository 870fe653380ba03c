import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Rendering } from '../../pipelines/compose/render.ts';
import { deploy, fixture, SCENES } from '../fixtures/compose/release.ts';

// biome-ignore lint/suspicious/noExplicitAny: a parsed document
const documentOf = (rendering: Rendering): any => parse(rendering.text);
const deployed = (name: string) => {
  const rendering = deploy(fixture(name), SCENES[name]);
  return { ...rendering, doc: documentOf(rendering) };
};

describe('every file', () => {
  test.each(Object.keys(SCENES))('%s: same bytes each time, by digest, labelled, without secrets', (name) => {
    const scene = SCENES[name] ?? {};
    const { text, doc, images } = deployed(name);
    expect(deploy(fixture(name), scene).text).toBe(text);
    for (const secret of Object.values(scene.secrets ?? {})) expect(text).not.toContain(secret);
    for (const [service, entry] of Object.entries<Record<string, unknown>>(doc.services)) {
      expect(entry.image).toMatch(/@sha256:[0-9a-f]{64}$/);
      expect(images[service]?.reference).toBe(entry.image);
      expect(entry.labels).toMatchObject({ 'slipway.instance': 'i-1' });
      expect(Object.keys(entry)).not.toContain('build');
    }
    expect(Object.keys(doc)).not.toContain('version');
  });
});

describe('variables and secrets', () => {
  test('secrets are left for Compose to fill in', () => {
    const { doc, environment, notices } = deployed('wordpress');
    expect(doc.services.db.environment).toMatchObject({
      MYSQL_PASSWORD: '${DB_PASSWORD}',
      MYSQL_ROOT_PASSWORD: '${DB_ROOT_PASSWORD}',
    });
    expect(environment).toEqual(SCENES.wordpress?.secrets);
    expect(doc.services.wordpress.ports).toEqual(['8001:80']);
    expect(notices[0]).toContain('container_name');
  });

  test('a required variable that is missing is named', () => {
    expect(() => deploy(fixture('wordpress'))).toThrow(
      'services.db.environment.MYSQL_ROOT_PASSWORD: the variable DB_ROOT_PASSWORD',
    );
  });

  test('env files are inlined below the service’s own environment', () => {
    const { doc } = deployed('env-files');
    expect(doc.services.api.environment).toEqual({
      COMMON: '1',
      TOKEN: '${API_KEY}-x',
      MODE: 'dotenv',
      API_KEY: '${API_KEY}',
      NUMBER: '5',
      FLAG: 'true',
    });
    expect(doc.services.worker.environment.MODE).toBe('common');
    expect(doc.services.worker.command).toEqual(['worker', '--price', '5$$', '--key=${API_KEY}']);
    expect(doc.services.worker.image).toBe(doc.services.api.image);
  });

  test('variables of the environment win over .env', () => {
    const { text } = deploy(fixture('env-files'), { ...SCENES['env-files'], variables: { MODE: 'pro' } });
    expect(parse(text).services.api.environment.MODE).toBe('pro');
  });

  test.each(['privileged: "${KEY}"', 'volumes: ["${KEY}:/x"]', 'network_mode: "${KEY}"'])(
    'a secret cannot steer %s',
    (line) => {
      const text = `services: {web: {image: shop/web, ${line}}}`;
      expect(() => deploy(text, { secrets: { KEY: 'host-or-true' } })).toThrow('the secret KEY cannot be used here');
    },
  );

  test('a secret with a name that would steer Compose gets another', () => {
    const text = 'services: {web: {image: shop/web, environment: [DOCKER_HOST]}}';
    const { environment, text: rendered } = deploy(text, { secrets: { DOCKER_HOST: 'tcp://evil' } });
    expect(environment).toEqual({ SLIPWAY_SECRET_DOCKER_HOST: 'tcp://evil' });
    expect(rendered).toContain('DOCKER_HOST: "${SLIPWAY_SECRET_DOCKER_HOST}"');
  });

  test('the server’s own environment is not there', () => {
    expect(deploy('services: {web: {image: shop/web, command: "x ${PATH}y"}}').text).toContain('"x y"');
  });

  test('readers of YAML 1.1 see text where text is meant', () => {
    const { text } = deployed('node-dev');
    expect(parse(text, { version: '1.1' }).services.node.environment).toEqual({
      NODE_ENV: '',
      NO: 'off',
      Y: 'yes',
      TIME: '22:22',
      OCT: '0755',
      EQ: '=',
    });
  });
});

describe('files', () => {
  test('of the release are mounted read-only, others become volumes', () => {
    const { doc, volumes, notices } = deployed('nginx-flask');
    expect(doc.services.proxy.volumes).toEqual([
      { type: 'bind', source: '${SLIPWAY_FILES_0}/conf/nginx.conf', target: '/etc/nginx/nginx.conf', read_only: true },
      { type: 'bind', source: '${SLIPWAY_FILES_1}', target: '/usr/share/nginx/html', read_only: true },
    ]);
    expect(volumes.map(({ files }) => files.map(({ path }) => path))).toEqual([
      ['conf/nginx.conf'],
      ['css/a.css', 'index.html'],
    ]);
    expect(volumes[0]?.name).toMatch(/^slipway-files-[0-9a-f]{16}$/);
    expect(doc.services.backend.volumes).toEqual([{ type: 'volume', source: 'data', target: '/data' }]);
    expect(doc.volumes).toEqual({ data: { labels: { 'slipway.instance': 'i-1' } } });
    expect(notices.join()).toContain('./data is not in the release');
  });

  test('a volume is named by its content', () => {
    const name = (content: string) =>
      deploy(fixture('elk'), { files: { 'pipeline/a.conf': content } }).volumes[0]?.name;
    expect(name('a')).toBe(name('a'));
    expect(name('a')).not.toBe(name('b'));
  });

  test('one folder mounted twice is one volume', () => expect(deployed('elk').volumes).toHaveLength(1));

  test('folders that other mounts need are made', () => {
    const { doc, volumes } = deployed('node-dev');
    expect(volumes[0]?.directories).toEqual(['node_modules', 'uploads']);
    expect(doc.services.node.volumes.map((mount: { target?: string }) => mount.target ?? mount)).toEqual([
      '/app',
      '/app/node_modules',
      '/app/uploads',
    ]);
  });

  test('secrets and configs are files of their service', () => {
    const { doc, volumes, secretVolumes } = deployed('secrets');
    expect(doc.services.db.volumes.map(({ source, target }: Record<string, string>) => `${source} ${target}`)).toEqual([
      '${SLIPWAY_FILES_0}/secrets/db_password.txt /run/secrets/db_password',
      '${SLIPWAY_SECRETS_0}/secrets/tls /etc/tls/key.pem',
      '${SLIPWAY_SECRETS_0}/secrets/shared /run/secrets/shared',
      '${SLIPWAY_FILES_0}/settings.ini /etc/settings.ini',
      '${SLIPWAY_SECRETS_0}/configs/greeting /greeting',
    ]);
    expect(volumes[0]?.files.map(({ path }) => path)).toEqual(['secrets/db_password.txt', 'settings.ini']);
    expect(secretVolumes).toEqual([
      {
        volume: 'slipway-secrets-demo-dev-shop-db',
        variable: 'SLIPWAY_SECRETS_0',
        entries: [
          { path: 'secrets/tls', value: 'private-key' },
          { path: 'secrets/shared', value: 'the-token' },
          { path: 'configs/greeting', value: 'hello world, very-secret\n' },
        ],
      },
    ]);
    expect(doc.secrets).toBeUndefined();
  });

  test('a secret that the environment lacks is named', () => {
    const { TLS_KEY: _, ...secrets } = SCENES.secrets?.secrets ?? {};
    expect(() => deploy(fixture('secrets'), { ...SCENES.secrets, secrets })).toThrow(
      'secrets.tls: the environment has no secret TLS_KEY',
    );
  });
});

describe('stacks', () => {
  test('an environment has its override, others have not', () => {
    const { doc } = deployed('overridden');
    expect(Object.keys(doc.services)).toEqual(['web', 'metrics']);
    expect(doc.services.web).toMatchObject({
      ports: ['80:80'],
      environment: { LEVEL: 'warn' },
      deploy: { replicas: 3 },
    });
    const dev = documentOf(deploy(fixture('overridden'), { ...SCENES.overridden, environment: 'DEV' }));
    expect(Object.keys(dev.services)).toEqual(['web', 'adminer']);
    expect(dev.services.web.environment).toEqual({ LEVEL: 'debug', DEBUG: '1' });
  });

  test('services with profiles stay out, conditions stay', () => {
    const { doc } = deployed('migrations');
    expect(Object.keys(doc.services)).toEqual(['migrate', 'app', 'db']);
    expect(doc.services.app.depends_on).toEqual({ migrate: { condition: 'service_completed_successfully' } });
    expect(doc.services.app.command).toEqual(['echo "it\'s $$HOME"\nexec app\n']);
  });

  test('a dependency on what is left out is an error', () => {
    const text = 'services: {a: {image: shop/app, depends_on: [b]}, b: {image: x, profiles: [p]}}';
    expect(() => deploy(text)).toThrow('services.a.depends_on: there is no service b');
  });

  test('networks are labelled, external ones left alone', () => {
    const { doc } = deployed('networks');
    expect(doc.networks).toEqual({
      back: { ipam: { config: [{ subnet: '172.28.0.0/16' }] }, labels: { team: 'a', 'slipway.instance': 'i-1' } },
      edge: { external: true, name: 'edge_net' },
    });
  });

  test('an image that is not pinned is refused', () => {
    const text = 'services: {a: {image: shop/app}}';
    const overrides = { PRO: 'services: {a: {environment: {A: 1}}}' };
    expect(deploy(text, { overrides, environment: 'PRO' }).images.a?.digest).toMatch(/^sha256:/);
    expect(() => deploy('services: {a: {build: .}}')).toThrow('services.a.build: no step of this pipeline built it');
    expect(() => deploy('services: {a: {command: x}}')).toThrow('services.a has neither image nor build');
  });
});
