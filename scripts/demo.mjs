/**
 * `npm run demo`: the whole main job on the application in scripts/demo/app, without any network, and without leaving
 * anything behind. `npm run demo -- --once` plays it to the end by itself; `--no-install` leaves the machine as it is.
 */
import { makeReady, orExplain, quietly } from './lib.mjs';
import { mayInstall, onPath, provideEngine } from './start-parts.mjs';
import { say, step } from './terminal.mjs';

const unknown = process.argv.slice(2).filter((option) => !['--once', '--no-install'].includes(option));
if (unknown.length > 0) {
  console.error(`demo: ${unknown.join(' ')}? There are --once and --no-install.`);
  process.exit(2);
}

await makeReady();
await provideEngine();
await provideParts();
const { demo } = await import('./demo/main.mjs');
process.exitCode = await demo({ once: process.argv.includes('--once') });

/** Where they are missing, official images stand in, if those can be pulled. */
async function provideParts() {
  const missing = [
    ['docker-registry', 'docker-registry'],
    ['busybox', 'busybox-static'],
  ].filter(([program]) => !onPath(program));
  if (missing.length === 0 || process.getuid() !== 0 || !mayInstall() || !onPath('apt-get')) return;
  const packages = missing.map(([, name]) => name).join(' and ');
  say(`  Installing the packages ${packages}; \`npm run demo -- --no-install\` goes without.`);
  await orExplain(() => step(`installing ${packages}`, () => quietly('bash', ['scripts/setup.sh', 'demo'])));
}
