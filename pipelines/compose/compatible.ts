/** One text for Compose v1 (1.27 and later) and v2: keys that Slipway settles itself, or that v1 would refuse, go. */
import { invalid } from '../errors.ts';
import { type ComposeMap, isMap, type Service } from './document.ts';
import { asList } from './references.ts';

/** Already done (build, env_file), Slipway's own business, or of no effect on what runs. */
const DROPPED = ['build', 'env_file', 'profiles', 'develop', 'pull_policy', 'container_name', 'annotations', 'attach'];

export function compatible(name: string, service: Service, services: Record<string, Service>): Service {
  const result = Object.fromEntries(
    Object.entries(service).filter(([key, value]) => value !== null && !DROPPED.includes(key)),
  );
  if (isMap(result.depends_on)) result.depends_on = dependencies(name, result.depends_on, services);
  if (Array.isArray(result.ports)) result.ports = result.ports.map(port);
  if (isMap(result.environment)) result.environment = texts(result.environment);
  if (isMap(result.labels)) result.labels = texts(result.labels);
  if (isMap(result.healthcheck)) {
    const { start_interval: _, ...healthcheck } = result.healthcheck;
    result.healthcheck = healthcheck;
  }
  if (result.extra_hosts !== undefined) {
    result.extra_hosts = asList(result.extra_hosts).map((host) => String(host).replace(/^([^:=]+)=/, '$1:'));
  }
  return result;
}

function dependencies(name: string, dependsOn: ComposeMap, services: Record<string, Service>): ComposeMap {
  const kept: ComposeMap = {};
  for (const [other, value] of Object.entries(dependsOn)) {
    const { condition = 'service_started', required } = isMap(value) ? value : {};
    if (Object.hasOwn(services, other)) kept[other] = { condition };
    else if (required !== false && required !== 'false') {
      const field = `services.${name}.depends_on`;
      throw invalid(`${field}: there is no service ${other}, or it is left out because it has profiles`, field);
    }
  }
  return kept;
}

/** v1 wants numbers, and knows neither ranges nor addresses in the long syntax. */
function port(entry: unknown): unknown {
  if (!isMap(entry)) return entry;
  const { target, published, host_ip, protocol, mode } = entry;
  const number = (value: unknown) => (/^\d+$/.test(String(value)) ? Number(value) : value);
  const plain = [target, published ?? 0].every((value) => typeof number(value) === 'number');
  if (host_ip === undefined && plain) {
    return {
      target: number(target),
      ...(published === undefined || published === '' ? {} : { published: number(published) }),
      ...(protocol === undefined ? {} : { protocol }),
      ...(mode === undefined ? {} : { mode }),
    };
  }
  const address = host_ip === undefined ? '' : `${String(host_ip).includes(':') ? `[${host_ip}]` : host_ip}:`;
  return `${address}${published ?? ''}:${target}${protocol === undefined ? '' : `/${protocol}`}`;
}

function texts(map: ComposeMap): ComposeMap {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, value === null ? '' : String(value)]));
}
