/** The table, and the facts without which its figures mean nothing. */
import { readFileSync } from 'node:fs';
import os from 'node:os';
import type { Row } from './row.ts';
import { composeCommand, firstLine } from './shell.ts';

export interface Facts {
  at: string;
  cores: number;
  cpu: string;
  memoryGB: number;
  /** Averages over 1, 5 and 15 minutes, before the first measurement. */
  loadBefore: number[];
  node: string;
  kernel: string;
  engine: string | null;
  docker: string | null;
  compose: string | null;
  git: string | null;
  revision: string | null;
}

export function facts(root: string): Facts {
  const [compose, ...args] = composeCommand().split(' ') as [string, ...string[]];
  return {
    at: new Date().toISOString(),
    cores: os.availableParallelism(),
    cpu: /^model name\s*: (.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? os.arch(),
    memoryGB: Math.round(os.totalmem() / 1e9),
    loadBefore: os.loadavg().map((load) => Math.round(load * 100) / 100),
    node: process.version,
    kernel: os.release(),
    engine: firstLine('docker', 'version', '--format', '{{.Server.Version}}'),
    docker: firstLine('docker', 'version', '--format', '{{.Client.Version}}'),
    compose: firstLine(compose, ...args, '--version') ?? firstLine(compose, ...args, 'version'),
    git: firstLine('git', '--version'),
    revision: firstLine('git', '-C', root, 'rev-parse', '--short', 'HEAD'),
  };
}

export const passes = ({ figure }: Row): boolean => figure.value <= figure.atMost;

export function table(rows: readonly Row[]): string {
  const head = ['work', 'bare', 'Slipway', 'figure', 'to reach', ''];
  const lines = rows.map((row) => [
    row.name,
    row.bare ? inWords(row.bare, row.unit) : '',
    inWords(row.ours, row.unit),
    figure(row.figure.value, row.figure.kind),
    `≤ ${figure(row.figure.atMost, row.figure.kind)}`,
    passes(row) ? '✓' : '✗',
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...lines].map((line) => (line[column] as string).length)));
  const shown = (line: string[]) =>
    `| ${line.map((cell, column) => cell.padEnd(widths[column] as number)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [shown(head), rule, ...lines.map(shown)].join('\n');
}

export const explained = (rows: readonly Row[]): string =>
  rows.map(({ name, work, notes }) => [`${name}: ${work}`, ...notes.map((note) => `  ${note}`)].join('\n')).join('\n');

const inWords = ({ median, min, max }: Row['ours'], unit: Row['unit']): string =>
  `${number(median)} ${unit} (${number(min)}–${number(max)})`;

const figure = (value: number, kind: Row['figure']['kind']): string =>
  kind === 'ratio' ? `${value.toFixed(2)}×` : `${number(value)} ${kind}`;

const number = (value: number): string => (value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en'));
