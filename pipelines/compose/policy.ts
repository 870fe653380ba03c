/** Compose keys that reach beyond the container: refused unless the environment's policy names them. */
import { AppError } from '../errors.ts';
import type { Policy, PolicyKey } from '../model.ts';
import { type ComposeDocument, type ComposeMap, isMap, type Service } from './document.ts';
import { asList } from './references.ts';
import { isHostPath, isPath, parseMount } from './volumes.ts';

export interface Violation {
  /** e.g. `services.web.privileged` */
  field: string;
  what: string;
  /** The policy that would allow it; null where none does. */
  policy: PolicyKey | null;
}

/** Checks a document whose variables are filled in. Throws one `invalid` that lists every violation. */
export function checkPolicy(doc: ComposeDocument, allowed: Policy): void {
  const violations = findViolations(doc).filter(({ policy }) => policy === null || !allowed.includes(policy));
  const first = violations[0];
  if (!first) return;
  const lines = violations.map(({ field, what, policy }) => {
    return `${field}: ${what} is not allowed${policy ? ` (policy "${policy}" of the environment would allow it)` : ''}`;
  });
  throw new AppError('invalid', lines.join('; '), { field: first.field, extra: { violations } });
}

export function findViolations(doc: ComposeDocument): Violation[] {
  return [
    ...Object.entries(doc.services).flatMap(([name, service]) => serviceViolations(name, service, doc)),
    ...Object.entries(doc.volumes).flatMap(([name, volume]) => volumeViolations(name, volume)),
    ...Object.entries(doc.networks).flatMap(([name, network]) => networkViolations(name, network)),
  ];
}

type Rule = (service: Service, doc: ComposeDocument) => Omit<Violation, 'field'> | null;

const present = (value: unknown): boolean =>
  value !== undefined && value !== null && (typeof value !== 'object' || Object.keys(value).length > 0);
/** Compose turns text into booleans: only what surely means "no" passes. */
const enabled = (value: unknown): boolean => present(value) && !/^(false|no|off|n|0|)$/i.test(String(value).trim());

const forbid = (key: string, policy: PolicyKey | null, what = key): [string, Rule] => [
  key,
  (service) => (present(service[key]) ? { what, policy } : null),
];

/** A namespace that is the host's own or another stack's; `harmless` values stay inside the stack. */
const namespace = (key: string, harmless: RegExp): [string, Rule] => [
  key,
  (service) => {
    const value = String(service[key] ?? '').trim();
    return value === '' || harmless.test(value) ? null : { what: `${key}: ${value}`, policy: 'host-namespaces' };
  },
];

const RULES: [string, Rule][] = [
  ['privileged', ({ privileged }) => (enabled(privileged) ? { what: 'privileged', policy: 'privileged' } : null)],
  namespace('network_mode', /^(?!host$|container:|ns:)/i),
  namespace('pid', /^service:/),
  namespace('ipc', /^(service:.*|private|shareable|none)$/),
  namespace('uts', /^private$/),
  namespace('userns_mode', /^private$/),
  namespace('cgroup', /^private$/),
  forbid('cgroup_parent', 'host-namespaces'),
  forbid('cap_add', 'cap-add'),
  forbid('devices', 'devices'),
  forbid('device_cgroup_rules', 'devices'),
  forbid('gpus', 'devices'),
  [
    'deploy',
    ({ deploy }) => (reservesDevices(deploy) ? { what: 'a reservation of devices', policy: 'devices' } : null),
  ],
  [
    'security_opt',
    ({ security_opt }) => {
      const risky = asList(security_opt).find((option) => !/^no-new-privileges([:=]true)?$/.test(String(option)));
      return risky === undefined ? null : { what: String(risky), policy: 'security-opt' };
    },
  ],
  forbid('credential_spec', 'security-opt'),
  forbid('sysctls', 'sysctls'),
  [
    'use_api_socket',
    ({ use_api_socket }) => (enabled(use_api_socket) ? { what: "the engine's socket", policy: 'docker-socket' } : null),
  ],
  [
    'volumes_from',
    ({ volumes_from }, { services }) => {
      // `container:NAME` is a container of anybody's, even where a service is called "container".
      const ours = (from: string) => !/^container:/i.test(from) && Object.hasOwn(services, from.split(':')[0] ?? '');
      const foreign = asList(volumes_from).find((from) => !ours(String(from)));
      return foreign === undefined ? null : { what: `volumes of ${foreign}`, policy: 'host-mounts' };
    },
  ],
  ...['post_start', 'pre_stop'].map((key): [string, Rule] => [
    key,
    (service) =>
      asList(service[key]).some((hook) => isMap(hook) && enabled(hook.privileged))
        ? { what: 'a privileged hook', policy: 'privileged' }
        : null,
  ]),
  // These make Compose itself read files or start programs where it runs.
  forbid('extends', null),
  forbid('label_file', null),
  forbid('provider', null),
];

function reservesDevices(deploy: unknown): boolean {
  const resources = isMap(deploy) ? deploy.resources : undefined;
  const reservations = isMap(resources) ? resources.reservations : undefined;
  return isMap(reservations) && present(reservations.devices);
}

function serviceViolations(name: string, service: Service, doc: ComposeDocument): Violation[] {
  const field = `services.${name}`;
  const found = RULES.flatMap(([key, rule]): Violation[] => {
    const violation = rule(service, doc);
    return violation ? [{ field: `${field}.${key}`, ...violation }] : [];
  });
  for (const entry of asList(service.volumes)) {
    const mount = parseMount(entry);
    if (!mount) found.push({ field: `${field}.volumes`, what: JSON.stringify(entry), policy: null });
    else found.push(...mountViolations(`${field}.volumes`, mount.type, mount.source));
  }
  return found;
}

const SOCKETS = ['/var/run/docker.sock', '/run/docker.sock'];

function mountViolations(field: string, type: string, source: string | null): Violation[] {
  if (source === null) return [];
  if (!isHostPath(source)) {
    const odd = !['bind', 'volume', 'tmpfs', 'image'].includes(type) || (type === 'volume' && isPath(source));
    return odd ? [{ field, what: `${type} ${source}`, policy: 'host-mounts' }] : [];
  }
  const path = normalPath(source);
  const socket: Violation = { field, what: `the engine's socket (${source})`, policy: 'docker-socket' };
  const mount: Violation = { field, what: `mounting ${source} of the host`, policy: 'host-mounts' };
  if (/\.sock$/.test(path)) return [socket];
  return SOCKETS.some((known) => path === '/' || known.startsWith(`${path}/`)) ? [socket, mount] : [mount];
}

/** Without `.`, `..`, doubled and trailing slashes. */
function normalPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `${path.startsWith('/') ? '/' : ''}${parts.join('/')}`;
}

/** Types of mounts that show nothing of the host's own. */
const REMOTE_TYPES = ['nfs', 'nfs4', 'cifs', 'smb3', 'tmpfs'];

/** The local driver mounts what its options say: `type: none, o: bind, device: /etc` is a host mount in disguise. */
function volumeViolations(name: string, volume: ComposeMap): Violation[] {
  const called = nameOnEngine(name, volume);
  // Files of other stacks, with their secrets, and the caches of builds.
  if (called.startsWith('slipway-'))
    return [{ field: `volumes.${name}`, what: `the volume ${called} of Slipway itself`, policy: null }];
  const options = isMap(volume.driver_opts) ? volume.driver_opts : {};
  const type = String(options.type ?? '').trim();
  const flags = String(options.o ?? '')
    .split(',')
    .map((flag) => flag.trim().toLowerCase());
  const local = volume.driver === undefined || volume.driver === null || volume.driver === 'local';
  const mounts = local
    ? (['type', 'device', 'o'].some((key) => present(options[key])) && !REMOTE_TYPES.includes(type)) ||
      flags.some((flag) => ['bind', 'rbind', 'move', 'remount'].includes(flag))
    : Object.values(options).some((value) => isHostPath(String(value)));
  if (!mounts) return [];
  const what = `mounting ${String(options.device ?? 'a path')} of the host`;
  return [{ field: `volumes.${name}.driver_opts`, what, policy: 'host-mounts' }];
}

function networkViolations(name: string, network: ComposeMap): Violation[] {
  const shared = nameOnEngine(name, network) === 'host' || HOST_DRIVERS.includes(String(network.driver ?? '').trim());
  if (!shared) return [];
  return [{ field: `networks.${name}`, what: 'the network of the host', policy: 'host-namespaces' }];
}

/** Drivers that put containers on the host's own network, or beside it on its wire. */
const HOST_DRIVERS = ['host', 'macvlan', 'ipvlan'];

/** What a network or volume is called where it has a name of its own: then it may be another stack's. '' where it has none. */
export function nameOnEngine(name: string, { external, name: own }: ComposeMap): string {
  const outer = isMap(external) ? external.name : undefined;
  return String(outer ?? own ?? (enabled(external) ? name : ''));
}
