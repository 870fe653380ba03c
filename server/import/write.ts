/** A finished draft as the text of a pipeline file. Written by hand, so that every comment stands where it belongs. */
import { faultOfPath } from '../../pipelines/values.ts';
import { isImage } from './agents.ts';
import type { Draft, Item, Step } from './draft.ts';
import type { Finished } from './finish.ts';
import { UNKNOWN } from './images.ts';
import type { Note } from './notes.ts';

/** Of a longer text, the beginning is enough: the file that it stands in is at hand. */
const MOST_LINES = 25;

type Written = Finished['steps'][number];

export class Writer {
  /** Every note that became a comment. */
  readonly notes: Note[] = [];
  private readonly lines: string[] = [];
  private readonly origin: string;

  constructor(origin: string) {
    this.origin = origin;
  }

  text(): string {
    return `${this.lines.join('\n')}\n`;
  }

  write({ draft, steps }: Finished): void {
    for (const line of draft.head) this.remark(0, line);
    this.comments(0, draft.notes.top);
    if (draft.head.length + draft.notes.top.length > 0) this.lines.push('');
    this.triggers(draft);
    this.comments(0, draft.notes.env);
    this.map(0, 'env', draft.env);
    if (draft.timeout) this.line(0, `timeout: ${draft.timeout}`);
    if (draft.supersede) this.line(0, 'supersede: true');
    this.parameters(draft);
    this.sources(draft);
    if (this.lines.length > 0 && this.lines.at(-1) !== '') this.lines.push('');
    this.comments(0, draft.notes.steps);
    this.line(0, 'steps:');
    for (const step of steps) this.step(step);
    this.notify(draft);
  }

  private line(depth: number, text: string): void {
    this.lines.push(`${'  '.repeat(depth)}${text}`);
  }
  private remark(depth: number, text: string): void {
    this.line(depth, `# ${oneLine(text)}`.trimEnd());
  }

  /** One line where it fits; else the reason, and below it what stood there. */
  private comments(depth: number, notes: readonly Note[]): void {
    for (const note of notes) {
      this.notes.push(note);
      const where = `from ${this.origin}${note.line === null ? '' : `:${note.line}`}`;
      const lines = note.text.split('\n').filter((line) => line.trim() !== '');
      if (lines.length <= 1 && note.text.length + note.why.length < 200) {
        this.remark(depth, `${where}: ${note.text.trim()} - ${note.why}`);
        continue;
      }
      this.remark(depth, `${where}: ${note.why}:`);
      // What ends a block stands below where it begins.
      const indent = lines.at(-1)?.search(/\S/) ?? 0;
      const more = lines.splice(MOST_LINES).length;
      for (const [index, line] of lines.entries())
        this.remark(depth, `  ${index === 0 ? line.trim() : line.slice(Math.min(indent, line.search(/\S/)))}`);
      if (more > 0) this.remark(depth, `  … and ${more} more lines`);
    }
  }

  private map(depth: number, key: string, entries: ReadonlyMap<string, string>): void {
    if (entries.size === 0) return;
    this.line(depth, `${key}:`);
    for (const [name, value] of entries) this.line(depth + 1, `${name}: ${scalar(value)}`);
  }

  private list(depth: number, key: string, values: Iterable<string>): void {
    const all = [...values];
    if (all.length > 0) this.line(depth, `${key}: [${all.map((value) => scalar(value)).join(', ')}]`);
  }

  private triggers({ poll, schedule, push, notes }: Draft): void {
    this.comments(0, notes.on);
    if (!poll && !schedule && !push) return;
    const remark = (comment: string) => (comment === '' ? '' : ` # ${oneLine(comment)}`);
    this.line(0, 'on:');
    if (poll) this.line(1, `poll: ${scalar(poll.cron)}${remark(poll.comment)}`);
    if (push) this.line(1, 'push: true');
    if (!schedule) return;
    this.line(1, 'schedule:');
    this.line(2, `cron: ${scalar(schedule.cron)}${remark(schedule.comment)}`);
    if (schedule.timezone) this.line(2, `timezone: ${schedule.timezone}`);
  }

  private parameters({ parameters, notes }: Draft): void {
    this.comments(0, notes.parameters);
    if (parameters.size > 0) this.line(0, 'parameters:');
    for (const [name, parameter] of parameters) {
      const variable = name === name.toUpperCase() ? '' : ` # $${name.toUpperCase()} in commands`;
      this.line(1, `${name}:${variable}`);
      this.line(2, `type: ${parameter.type}`);
      if (parameter.type === 'choice') this.list(2, 'options', parameter.options);
      this.line(2, `default: ${scalar(parameter.default)}`);
      if (parameter.description) this.line(2, `description: ${scalar(parameter.description)}`);
    }
  }

  private sources({ sources }: Draft): void {
    if (sources.size > 0) this.line(0, 'sources:');
    for (const [name, { kind, url, branch, path }] of sources) {
      const more = branch === undefined ? '' : `, branch: ${scalar(branch)}`;
      this.line(1, `${name}: { kind: ${kind}, url: ${scalar(url)}${more}, path: ${scalar(path)} }`);
    }
  }

  private step({ name, step, needs, image, why }: Written): void {
    const title = step.title.trim().toLowerCase() === name ? '' : ` # ${oneLine(step.title)}`;
    this.line(1, `${name}:${step.line === null ? '' : title}`);
    this.comments(2, step.above);
    if (needs) this.line(2, `needs: [${needs.join(', ')}]`);
    this.matrix(step);
    this.when(step);
    if (step.build) this.build(step);
    else this.image(step, image, why);
    if (!step.build) this.map(2, 'env', step.env);
    if (step.secrets.size > 0) this.list(2, 'secrets', step.secrets);
    if (!step.build) this.list(2, 'cache', step.cache);
    if (step.timeout) this.line(2, `timeout: ${step.timeout}`);
    if (step.retry > 0) this.line(2, `retry: ${step.retry}`);
    if (step.allowFailure) this.line(2, 'allow_failure: true');
    if (step.build) for (const item of step.items) this.item(item);
    else this.run(step);
    if (!step.build) this.reports(step);
  }

  private image(step: Step, image: string, why: string): void {
    const good = isImage(image) ? image : UNKNOWN.image;
    const reason = good === image ? why : `${image} is no image: choose one`;
    if (why === UNKNOWN.why) this.notes.push({ line: step.line, text: step.title, why });
    this.line(2, `image: ${scalar(good)}${reason === '' ? '' : ` # ${oneLine(reason)}`}`);
  }

  private matrix({ matrix }: Step): void {
    if (matrix.size > 0) this.line(2, 'matrix:');
    for (const [key, values] of matrix) this.list(3, key, values);
  }

  private when({ when }: Step): void {
    if (when.branch.length + when.paths.length + when.trigger.length > 0) this.line(2, 'when:');
    for (const key of ['branch', 'paths', 'trigger'] as const) this.list(3, key, new Set(when[key]));
  }

  private build({ build }: Step): void {
    if (!build) return;
    this.line(2, 'build:');
    this.line(3, `image: ${scalar(build.image)}`);
    for (const key of ['context', 'dockerfile', 'target'] as const) {
      const value = build[key];
      if (value !== undefined) this.line(3, `${key}: ${scalar(value)}`);
    }
    this.map(3, 'args', build.args);
  }

  private run(step: Step): void {
    this.line(2, 'run:');
    for (const item of step.items) this.item(item);
  }

  private item(item: Item): void {
    if (item.kind === 'note') {
      this.comments(3, [item.note]);
      return;
    }
    if (!canBeBlock(item.script)) {
      this.line(3, `- ${scalar(item.script)}`);
      return;
    }
    this.line(3, '- |');
    for (const line of item.script.split('\n')) this.line(line === '' ? 0 : 4, line);
  }

  /** Paths that lead out of the workspace are left to whoever knows what they meant. */
  private reports(step: Step): void {
    for (const key of ['artifacts', 'junit'] as const) {
      const fits = (glob: string) => faultOfPath(glob.replace(/\$\{[^}]*\}/g, 'x')) === null;
      const globs = [...step[key]];
      this.list(2, key, globs.filter(fits));
      const wrong = globs.filter((glob) => !fits(glob));
      this.comments(
        2,
        wrong.map((text) => ({ line: step.line, text: `${key}: ${text}`, why: 'not a path below the workspace' })),
      );
    }
  }

  private notify({ mail, notes }: Draft): void {
    const { to, on } = mail;
    if (to.size > 0 || notes.notify.length > 0) this.lines.push('');
    this.comments(0, notes.notify);
    if (to.size === 0) return;
    this.line(0, 'notify:');
    this.line(1, 'mail:');
    this.list(2, 'to', to);
    this.list(2, 'on', on);
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const UNPRINTABLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]/u;

const oneLine = (text: string): string =>
  text.replace(/\s+/g, (space) => (space.includes('\n') ? ' ' : space)).replace(new RegExp(UNPRINTABLE, 'gu'), '');

/** A block keeps its lines as they are, but cannot begin with a space, and takes no unprintable characters. */
const canBeBlock = (text: string): boolean =>
  text.includes('\n') && !UNPRINTABLE.test(text) && !/^[ \t\n]|[ \t]$|\n$/.test(text) && !/^[ \t]+$/m.test(text);

/** Plain where YAML can only read it as this text; else in quotes, in which JSON is YAML. */
export function scalar(text: string): string {
  const plain = /^[A-Za-z./$][\w./*$ @=+<>()"'|&;:-]*$/.test(text) && !/\s$|:( |$)/.test(text);
  const word = /^(true|false|null|yes|no|on|off|y|n)$/i.test(text) || /^\.+[^./]?$|^\.(\d|inf|nan)/i.test(text);
  if (plain && !word) return text;
  if (!text.includes("'") && !/[\n\r\t]/.test(text) && !UNPRINTABLE.test(text)) return `'${text}'`;
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028\u2029\ufeff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
