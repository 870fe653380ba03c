/** What a mail says, in the order in which it says it; HTML and text are two renderings of one view. */
import type { Change } from '../../pipelines/model.ts';
import type { BuildMail, DeploymentMail, FailingTest, LogExcerpt, MailInput } from './mail-input.ts';
import {
  clip,
  count,
  formatDuration,
  marks,
  oneLine,
  printable,
  shortDigest,
  shortRevision,
  subjectOf,
  within,
  wordOf,
} from './words.ts';

export type Tone = 'good' | 'bad' | 'wait' | 'info';

export interface MailView {
  tone: Tone;
  mark: string;
  word: string;
  /** What it is about: `shop-api main #128`, `shop 2.4.1 → TEST`. */
  title: string;
  /** For the subject, after the title: `unit, 3 tests`. */
  detail: string;
  /** What happened, in sentences. */
  sentences: string[];
  tests: { title: string; items: { name: string; message: string; isNew: boolean }[]; more: string } | null;
  action: { label: string; url: string };
  log: { title: string; lines: string[] } | null;
  gates: { mark: string; message: string }[];
  authors: { name: string; changes: { revision: string; subject: string }[] }[];
  moreChanges: string;
  stages: { mark: string; name: string; result: string }[];
  images: { name: string; before: string; digest: string; note: string }[];
  facts: { label: string; value: string }[];
  why: string;
  settingsUrl: string;
}

/** Small enough that a mail in which every character must be escaped stays below what mail services clip. */
const LIMIT = { tests: 8, changes: 12, images: 10, stages: 20, gates: 9, logLines: 30, logColumns: 200 };

export const viewOf = (input: MailInput): MailView => ('pipeline' in input ? buildView(input) : deploymentView(input));

function buildView(input: BuildMail): MailView {
  const { head, sentences } = buildStory(input);
  const failure = input.kind === 'failed' ? input : null;
  return {
    ...head,
    title: `${label(within(input.project, input.pipeline))} ${label(input.branch)} #${input.number}`,
    detail: failure ? failureDetail(failure.failingStep, failure.failingTests) : '',
    sentences,
    tests: failure ? testsOf(failure.failingTests) : null,
    action: {
      label: `Open build #${input.number}`,
      url: link(input, 'p', input.project, input.pipeline, input.number),
    },
    log: failure ? logOf(failure.log) : null,
    gates: [],
    ...changesOf(input.changes),
    stages: stagesOf(input),
    images: input.images.slice(0, LIMIT.images).map((image) => imageRow(image.name, null, image.digest, '')),
    facts: compact([
      ['Branch', input.branch],
      ['Revision', shortRevision(input.revision)],
      ['Release', input.release],
      ['Took', took(input.duration, input.medianDuration)],
    ]),
    ...footer(input),
  };
}

type Head = Pick<MailView, 'tone' | 'mark' | 'word'>;

function buildStory(input: BuildMail): { head: Head; sentences: string[] } {
  switch (input.kind) {
    case 'failed': {
      const since =
        input.since === input.number
          ? 'The build before it passed.'
          : `This branch has been failing since #${input.since}.`;
      return {
        head: {
          tone: input.result === 'cancelled' ? 'info' : 'bad',
          mark: marks[input.result],
          word: wordOf[input.result],
        },
        sentences: [...failureSentences(input), since],
      };
    }
    case 'fixed':
      return {
        head: { tone: 'good', mark: marks.passed, word: 'FIXED' },
        sentences: [`The branch passes again. It had been failing since #${input.since}.`],
      };
    case 'passed':
      return { head: { tone: 'good', mark: marks.passed, word: 'PASSED' }, sentences: ['Every step passed.'] };
  }
}

function deploymentView(input: DeploymentMail): MailView {
  const { head, sentences } = deploymentStory(input);
  const failure = input.kind === 'deploy-failed' ? input : null;
  const arrow = input.kind === 'rolled-back' ? `${input.before ?? '?'} → ${input.release} on` : `${input.release} →`;
  const approving = input.kind === 'approval';
  return {
    ...head,
    title: label(`${within(input.project, input.stack)} ${arrow} ${input.environment}`),
    detail: failure ? failureDetail(failure.failingStep, failure.failingTests) : '',
    sentences: input.note ? [...sentences, `Note: ${oneLine(input.note, 300)}`] : sentences,
    tests: failure ? testsOf(failure.failingTests) : null,
    action: {
      label: approving ? 'Review and decide' : `Open deployment #${input.number}`,
      url: link(input, 'env', input.project, input.environment, 'deployments', input.number),
    },
    log: failure ? logOf(failure.log) : null,
    gates: approving
      ? input.gates.slice(0, LIMIT.gates).map((gate) => ({
          mark: gate.open ? marks.passed : marks.queued,
          message: oneLine(gate.message, 200),
        }))
      : [],
    ...changesOf(input.changes),
    stages: [],
    images: input.images
      .slice(0, LIMIT.images)
      .map((image) => imageRow(image.name, image.beforeDigest, image.digest, 'new')),
    facts: compact([
      ['Environment', input.environment],
      ['Before', input.before ?? 'nothing'],
      [approving ? 'After' : 'Release', input.release],
      ['Requested by', input.requestedBy ?? 'Slipway (automatic)'],
      [
        'Tests',
        input.kind === 'deployed' && input.tests ? `${input.tests.passed} of ${input.tests.total} passed` : null,
      ],
      ['Address', input.environmentUrl],
      ['Took', took(input.duration, null)],
    ]),
    ...footer(input),
  };
}

function deploymentStory(input: DeploymentMail): { head: Head; sentences: string[] } {
  const replaces = input.before && input.before !== input.release ? `, replacing ${input.before}` : '';
  switch (input.kind) {
    case 'deployed':
      return {
        head: { tone: 'good', mark: '▲', word: 'DEPLOYED' },
        sentences: [`${input.release} runs in ${input.environment}${replaces}. Its images were proven by digest.`],
      };
    case 'deploy-failed':
      return {
        head: { tone: 'bad', mark: marks[input.result], word: `DEPLOY ${wordOf[input.result]}` },
        sentences: [...failureSentences(input), restoredSentence(input.restored, input.before, input.environment)],
      };
    case 'rolled-back':
      return {
        head: { tone: 'info', mark: '↩', word: 'ROLLED BACK' },
        sentences: compactText([
          `${input.release} runs in ${input.environment} again${replaces}.`,
          input.reason && `Reason: ${sentence(input.reason)}`,
          'Automatic promotion to this environment is on hold until someone promotes again.',
        ]),
      };
    case 'approval':
      return {
        head: { tone: 'wait', mark: '✋', word: 'APPROVE' },
        sentences: [
          `${input.requestedBy ?? 'Slipway'} asks to put ${input.release} into ${input.environment}${replaces}.`,
          `${input.approvals.given} of ${count(input.approvals.needed, 'approval')} given. Nothing happens until you decide on the page.`,
        ],
      };
  }
}

function restoredSentence(restored: boolean | null, before: string | null, environment: string): string {
  if (restored === true) return `${before ?? 'The previous release'} was put back and runs in ${environment}.`;
  if (restored === false)
    return `PUTTING ${before ?? 'THE PREVIOUS RELEASE'} BACK FAILED TOO: ${environment} needs attention now.`;
  return `What ran in ${environment} was not changed.`;
}

const failureSentences = (failure: { failingStep: string | null; reason: string | null }): string[] =>
  compactText([
    failure.failingStep && `Step ${label(failure.failingStep)} did not pass.`,
    failure.reason && sentence(failure.reason),
  ]);

function failureDetail(step: string | null, tests: FailingTest[]): string {
  return compactText([step && label(step), tests.length > 0 ? count(tests.length, 'test') : null]).join(', ');
}

function testsOf(failing: FailingTest[]): MailView['tests'] {
  if (failing.length === 0) return null;
  const newOnes = failing.filter((test) => test.isNew);
  const shown = [...newOnes, ...failing.filter((test) => !test.isNew)].slice(0, LIMIT.tests);
  return {
    title: `${count(failing.length, 'failing test')}${newOnes.length > 0 ? `, ${newOnes.length} new` : ''}`,
    items: shown.map((test) => ({
      name: oneLine(test.suite ? `${test.suite} › ${test.name}` : test.name, 120),
      message: oneLine(test.message ?? '', 140),
      isNew: test.isNew,
    })),
    more: failing.length > shown.length ? `and ${failing.length - shown.length} more` : '',
  };
}

function logOf(log: LogExcerpt | null): MailView['log'] {
  if (!log) return null;
  const lines = log.text.replaceAll('\r\n', '\n').trimEnd().split('\n').slice(-LIMIT.logLines);
  // What a terminal would show of a line that was drawn over: what follows its last carriage return.
  const drawn = lines.map((line) => clip(printable(line.slice(line.lastIndexOf('\r') + 1)), LIMIT.logColumns));
  return { title: `Log of ${label(log.step)}${drawn.length > 1 ? `, last ${drawn.length} lines` : ''}`, lines: drawn };
}

function changesOf(changes: Change[]): Pick<MailView, 'authors' | 'moreChanges'> {
  const shown = changes.slice(0, LIMIT.changes);
  const authors = new Map<string, MailView['authors'][number]>();
  for (const change of shown) {
    const name = oneLine(change.author ?? 'unknown author', 40);
    const group = authors.get(name) ?? { name, changes: [] };
    group.changes.push({ revision: shortRevision(change.revision), subject: subjectOf(change.message) });
    authors.set(name, group);
  }
  return {
    authors: [...authors.values()],
    moreChanges: changes.length > shown.length ? `and ${changes.length - shown.length} more` : '',
  };
}

const stagesOf = (input: BuildMail): MailView['stages'] =>
  input.steps.slice(0, LIMIT.stages).map((step) => ({
    mark: step.result ? marks[step.result] : marks.queued,
    name: label(step.name),
    result: step.result ?? 'not run',
  }));

function imageRow(
  name: string,
  before: string | null,
  digest: string,
  noteWithoutBefore: string,
): MailView['images'][number] {
  const note = before === null ? noteWithoutBefore : before === digest ? 'unchanged' : 'changed';
  return {
    name: label(name),
    before: before !== null && before !== digest ? shortDigest(before) : '',
    digest: shortDigest(digest),
    note,
  };
}

function took(duration: number | null, median: number | null): string | null {
  if (duration === null) return null;
  return formatDuration(duration) + (median === null ? '' : ` (usually ${formatDuration(median)})`);
}

const footer = (input: MailInput): Pick<MailView, 'why' | 'settingsUrl'> => ({
  why: `Why you get this: ${sentence(input.why)}`,
  settingsUrl: link(input, 'settings', 'mail'),
});

/** A name in a line with others. */
const label = (text: string): string => oneLine(text, 60);

/** A page of the web client. Opening it changes nothing: mail scanners follow links. */
export const link = (input: { publicUrl: string }, ...segments: (string | number)[]): string =>
  `${input.publicUrl.replace(/\/+$/, '')}/${segments.map((segment) => encodeURIComponent(segment)).join('/')}`;

function sentence(text: string): string {
  const line = oneLine(text, 300);
  return /[.!?…]$/.test(line) ? line : `${line}.`;
}

const compact = (facts: [string, string | null][]): MailView['facts'] =>
  facts.flatMap(([label, value]) => (value === null ? [] : [{ label, value: oneLine(value, 120) }]));
const compactText = (parts: (string | null | '')[]): string[] => parts.filter((part): part is string => Boolean(part));
