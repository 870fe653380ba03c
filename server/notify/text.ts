/** The text twin of a mail: the same view, for those who read mail without HTML. */
import type { MailView } from './view.ts';

export function renderText(view: MailView): string {
  const sections = [
    [`${view.mark} ${view.word} ${view.title}`, '', ...view.sentences],
    view.tests && titled(view.tests.title, [...view.tests.items.flatMap(testLines), view.tests.more]),
    [`${view.action.label}: ${view.action.url}`],
    view.gates.length > 0 &&
      titled(
        'Gates',
        view.gates.map((gate) => `${gate.mark} ${gate.message}`),
      ),
    view.log &&
      titled(
        view.log.title,
        view.log.lines.map((line) => `| ${line}`.trimEnd()),
      ),
    view.authors.length > 0 && titled('Changes', [...view.authors.flatMap(authorLines), view.moreChanges]),
    view.stages.length > 0 &&
      titled(
        'Steps',
        view.stages.map((stage) => `${stage.mark} ${stage.name} ${stage.result}`),
      ),
    view.images.length > 0 && titled('Images', view.images.map(imageLine)),
    titled('Details', table(view.facts)),
    ['-- ', view.why, `Mail settings: ${view.settingsUrl}`],
  ];
  return `${sections
    .filter((section) => section !== null && section !== false)
    .map((section) => section.join('\n').trimEnd())
    .join('\n\n')}\n`;
}

const titled = (title: string, lines: string[]): string[] => [
  title.toUpperCase(),
  ...lines.filter((line) => line !== '').map((line) => `  ${line}`),
];

const testLines = (test: { name: string; message: string; isNew: boolean }): string[] => [
  `✗ ${test.name}${test.isNew ? ' (new)' : ''}`,
  test.message && `    ${test.message}`,
];

const authorLines = (author: MailView['authors'][number]): string[] => [
  author.name,
  ...author.changes.map((change) => `  ${change.revision}  ${change.subject}`),
];

const imageLine = (image: MailView['images'][number]): string =>
  [image.name, image.before && `${image.before} →`, image.digest, image.note].filter(Boolean).join('  ');

function table(facts: MailView['facts']): string[] {
  const width = Math.max(...facts.map((fact) => fact.label.length));
  return facts.map((fact) => `${fact.label.padEnd(width)}  ${fact.value}`);
}
