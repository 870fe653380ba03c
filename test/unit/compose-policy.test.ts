import { describe, expect, test } from 'vitest';
import { parseCompose } from '../../pipelines/compose/document.ts';
import { checkPolicy, findViolations } from '../../pipelines/compose/policy.ts';
import type { Policy } from '../../pipelines/model.ts';
import { deploy } from '../fixtures/compose/release.ts';

const web = (line: string) => `services: {web: {image: shop/web, ${line}}}`;
const check =
  (text: string, allowed: Policy = []) =>
  () =>
    checkPolicy(parseCompose(text, 'c'), allowed);

describe('policy', () => {
  test.each<[string, Policy]>([
    [web('privileged: true'), ['privileged']],
    [web('privileged: "yes"'), ['privileged']],
    [web('post_start: [{command: x, privileged: true}]'), ['privileged']],
    [web('volumes: ["/var/run/docker.sock:/s"]'), ['docker-socket']],
    [web('volumes: ["/var/./run//docker.sock:/s"]'), ['docker-socket']],
    [web('volumes: [{type: bind, source: /run/docker.sock, target: /s}]'), ['docker-socket']],
    [web('volumes: ["/var/run:/s"]'), ['docker-socket', 'host-mounts']],
    [web('volumes: ["/:/s:ro"]'), ['docker-socket', 'host-mounts']],
    [web('use_api_socket: true'), ['docker-socket']],
    [web('network_mode: host'), ['host-namespaces']],
    [web('network_mode: "container:other"'), ['host-namespaces']],
    [web('pid: host'), ['host-namespaces']],
    [web('ipc: host'), ['host-namespaces']],
    [web('ipc: "container:x"'), ['host-namespaces']],
    [web('uts: host'), ['host-namespaces']],
    [web('userns_mode: host'), ['host-namespaces']],
    [web('cgroup: host'), ['host-namespaces']],
    [web('cgroup_parent: /x'), ['host-namespaces']],
    ['networks: {n: {external: true, name: host}}', ['host-namespaces']],
    ['networks: {host: {external: true}}', ['host-namespaces']],
    ['networks: {n: {external: {name: host}}}', ['host-namespaces']],
    ['networks: {n: {driver: host}}', ['host-namespaces']],
    [web('cap_add: [NET_ADMIN]'), ['cap-add']],
    [web('devices: ["/dev/kvm"]'), ['devices']],
    [web('device_cgroup_rules: ["c 1:3 mr"]'), ['devices']],
    [web('gpus: all'), ['devices']],
    [web('deploy: {resources: {reservations: {devices: [{driver: nvidia}]}}}'), ['devices']],
    [web('security_opt: ["seccomp:unconfined"]'), ['security-opt']],
    [web('security_opt: ["no-new-privileges:true", "apparmor=unconfined"]'), ['security-opt']],
    [web('security_opt: ["no-new-privileges:false"]'), ['security-opt']],
    [web('credential_spec: {file: x}'), ['security-opt']],
    [web('volumes: ["/etc:/x:ro"]'), ['host-mounts']],
    [web('volumes: ["~/x:/x"]'), ['host-mounts']],
    [web('volumes: ["C:\\\\x:/x"]'), ['host-mounts']],
    [web('volumes: [{type: volume, source: /etc, target: /x}]'), ['host-mounts']],
    [web('volumes: [{source: /etc, target: /x}]'), ['host-mounts']],
    [web('volumes: [{type: npipe, source: x, target: /x}]'), ['host-mounts']],
    [web('volumes_from: ["container:other"]'), ['host-mounts']],
    [web('volumes_from: [other]'), ['host-mounts']],
    ['volumes: {v: {driver_opts: {type: none, o: bind, device: /etc}}}', ['host-mounts']],
    ['volumes: {v: {driver: local, driver_opts: {o: "ro,bind", device: /etc}}}', ['host-mounts']],
    ['volumes: {v: {driver_opts: {type: tmpfs, o: rbind, device: /etc}}}', ['host-mounts']],
    ['volumes: {v: {driver_opts: {type: overlay, o: "lowerdir=/etc", device: overlay}}}', ['host-mounts']],
    ['volumes: {v: {driver_opts: {type: ext4, device: /dev/sda1}}}', ['host-mounts']],
    ['volumes: {v: {driver: local-persist, driver_opts: {mountpoint: /etc}}}', ['host-mounts']],
    [web('sysctls: {net.core.somaxconn: 1024}'), ['sysctls']],
  ])('%s needs %j', (text, policy) => {
    for (const key of policy) expect(check(text)).toThrow(`policy "${key}"`);
    expect(check(text, policy)).not.toThrow();
  });

  test.each([web('extends: other'), web('label_file: /etc/passwd'), web('provider: {type: x}'), web('volumes: [[a]]')])(
    '%s is never allowed',
    (text) => expect(check(text, ['privileged', 'host-mounts', 'security-opt'])).toThrow('is not allowed'),
  );

  test.each([
    web('privileged: false'),
    web('privileged: "no"'),
    web('volumes: [data:/d, /anonymous, "./x:/x", {type: tmpfs, target: /t}]'),
    web('security_opt: ["no-new-privileges:true"]'),
    web('network_mode: none'),
    web('network_mode: "service:web"'),
    web('pid: "service:web"'),
    web('ipc: shareable'),
    web('cap_drop: [ALL]'),
    web('volumes_from: ["web:ro"]'),
    web('tmpfs: /tmp'),
    'networks: {n: {external: true}, m: {driver: overlay}}',
    'volumes: {v: {external: true}, n: {driver_opts: {type: nfs, o: "addr=10.0.0.1,rw", device: ":/x"}}}',
  ])('%s is fine', (text) => expect(findViolations(parseCompose(text, 'c'))).toEqual([]));

  test('all violations are listed at once', () => {
    const text = 'services: {a: {image: x, privileged: true, cap_add: [ALL]}, b: {image: y, volumes: ["/etc:/e"]}}';
    expect(check(text, ['cap-add'])).toThrow(
      expect.objectContaining({
        code: 'invalid',
        field: 'services.a.privileged',
        message: expect.stringMatching(/services\.a\.privileged: .*services\.b\.volumes: mounting \/etc/),
      }),
    );
  });

  test('variables and env files cannot slip anything past it', () => {
    const sly =
      (line: string, variables: Record<string, string>, files = {}) =>
      () =>
        deploy(web(line), { variables, files });
    expect(sly('privileged: "${P:-true}"', {})).toThrow('services.web.privileged');
    expect(sly('volumes: ["${V}:/x"]', { V: '/etc' })).toThrow('services.web.volumes');
    expect(sly('volumes: ["${V}"]', { V: '/etc:/x' })).toThrow('services.web.volumes');
    expect(sly('volumes: ["${V}:/x"]', { V: '../../etc' })).toThrow('outside the workspace');
    expect(sly('env_file: "${F}"', { F: '/etc/passwd' })).toThrow('outside the workspace');
  });
});
