/** The commands of a step, as lines of one script: each `sh` of Jenkins is a shell of its own, a step of Slipway is one. */
import type { Context } from './context.ts';

/** Takes from each line what all of them are indented by; the first may follow a quote and have none. */
export function dedent(script: string): string {
  const lines = script.replace(/\r\n/g, '\n').replaceAll('\0', '').split('\n');
  const rest = lines.slice(1).filter((line) => line.trim() !== '');
  const indents = rest.map((line) => /^[ \t]*/.exec(line)?.[0].length ?? 0);
  const indent = Math.min(...(indents.length > 0 ? indents : [0]));
  const [first = '', ...others] = lines;
  const all = [first.trimStart(), ...others.map((line) => line.slice(Math.min(indent, line.search(/\S|$/))))];
  return all
    .map((line) => line.trimEnd())
    .join('\n')
    .replace(/^\n+/, '')
    .trimEnd();
}

/** A script of another interpreter than `sh -e` is handed to it. */
export function interpreted(script: string): string {
  const plain = dedent(script);
  const [, line = ''] = /^#!\s*(.*)\n?/.exec(plain) ?? [];
  if (line === '') return plain;
  const words = line.replace(/^\S*\/env\s+(-S\s+)?/, '').split(/\s+/);
  const program = (words[0] ?? 'sh').split('/').at(-1) ?? 'sh';
  const body = plain.slice(plain.indexOf('\n') + 1).replace(/^\n+/, '');
  if (!plain.includes('\n') || body === '') return plain;
  let end = 'SCRIPT';
  while (body.split('\n').includes(end)) end += '_';
  // Jenkins ends a script without a #! line, and only such a one, with the first command that fails.
  const isFirst = script.trimEnd() === script.replace(/^\s+/, '').trimEnd();
  const flags = words.slice(1);
  if (!isFirst && /^(ba|da|k|z)?sh$/.test(program) && flags.length === 0) flags.push('-e');
  return `${[program, ...flags].join(' ')} <<'${end}'\n${body}\n${end}`;
}

export function addCommand(context: Context, script: string): void {
  const { before, image, step } = context;
  const text = interpreted(script);
  if (text === '') return;
  const whole = before.length === 0 ? text : grouped([...before, text]);
  step.items.push({ kind: 'command', script: whole, image });
}

const isOneCommand = (line: string): boolean => !/[\n;&|#]/.test(line);

/** `(cd web && npm ci)`, over several lines where that is not enough. */
function grouped(lines: string[]): string {
  if (lines.every(isOneCommand) && lines.length < 3) return `(${lines.join(' && ')})`;
  return `(\n${lines.join('\n')}\n)`;
}

/** What the shell would still know afterwards, and Jenkins' next `sh` did not. */
const LASTING =
  /(^|[\n;&|({]\s*)(cd|export|set|trap|exec|umask|source|unset|alias|exit|\.)\s|(^|\n)\s*\w+=\S*\s*($|\n|;)/;

/** Keeps what one command does to its shell from the next one, as Jenkins does. */
export function isolated(scripts: string[]): string[] {
  return scripts.map((script, index) => {
    const matters =
      index < scripts.length - 1 && LASTING.test(script) && !/^\(\n|^\([^\n]*\)$|^\w+ [^\n]*<<'SCRIPT/.test(script);
    return matters ? grouped([script]) : script;
  });
}
