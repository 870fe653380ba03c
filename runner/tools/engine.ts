/** A client of one Docker engine. One keep-alive socket pool an engine and process. */
import http from 'node:http';
import https from 'node:https';
import Docker from 'dockerode';
import { RemoteError } from '../../pipelines/errors.ts';
import type { EngineSpec } from '../../pipelines/model.ts';

const clients = new Map<string, Docker>();

/** The client for `engine`, or for the runner's own engine (DOCKER_HOST, else the local socket). */
export function engineClient(engine: Pick<EngineSpec, 'host' | 'tls'> | null = null): Docker {
  const host = engine?.host ?? process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock';
  const key = JSON.stringify([host, engine?.tls ?? null]);
  const client = clients.get(key) ?? connect(host, engine?.tls);
  clients.set(key, client);
  return client;
}

function connect(host: string, tls: EngineSpec['tls']): Docker {
  const url = new URL(host);
  if (url.protocol === 'unix:') {
    return new Docker({ socketPath: url.pathname, agent: new http.Agent({ keepAlive: true }) } as Docker.DockerOptions);
  }
  if (url.protocol === 'tcp:') {
    const options = { host: url.hostname, port: Number(url.port || (tls ? 2376 : 2375)) };
    if (!tls)
      return new Docker({
        ...options,
        protocol: 'http',
        agent: new http.Agent({ keepAlive: true }),
      } as Docker.DockerOptions);
    const agent = new https.Agent({ keepAlive: true, ca: tls.ca, cert: tls.cert, key: tls.key });
    return new Docker({ ...options, ...tls, protocol: 'https', agent } as Docker.DockerOptions);
  }
  throw new RemoteError(
    'engine',
    'protocol',
    `an engine of ${url.protocol}// cannot be reached yet: use unix:// or tcp://`,
  );
}
