/** Composes a mail from plain data: subject, text, HTML and headers. Pure: no clock, no database. */
import type { MailInput } from './mail-input.ts';
import { render } from './templates.ts';
import { renderText } from './text.ts';
import { link, type MailView, type Tone, viewOf } from './view.ts';
import { oneLine } from './words.ts';

export interface ComposedMail {
  /** One line of at most 150 characters. */
  subject: string;
  text: string;
  html: string;
  headers: Record<string, string>;
}

const SUBJECT_LIMIT = 150;

/** Every pair has a contrast of at least 4.5 with the white text or the tinted ground that it is used with. */
const tones: Record<Tone, { strong: string; tint: string }> = {
  good: { strong: '#1a7f37', tint: '#eaf6ed' },
  bad: { strong: '#b3261e', tint: '#fcebea' },
  wait: { strong: '#855300', tint: '#fdf3e1' },
  info: { strong: '#3d5875', tint: '#eef2f6' },
};

export function composeMail(input: MailInput): ComposedMail {
  const view = viewOf(input);
  const subject = oneLine(
    `${view.mark} ${view.word} ${view.title}${view.detail ? ` – ${view.detail}` : ''}`,
    SUBJECT_LIMIT,
  );
  return {
    subject,
    text: renderText(view),
    html: render('mail', { ...view, ...tones[view.tone], tone: view.tone, subject, preheader: preheaderOf(view) }),
    headers: headersOf(input, view),
  };
}

/** The grey text beside the subject in an inbox: the first error, and whose change it was. */
function preheaderOf(view: MailView): string {
  const first = view.tests?.items[0];
  const error = first ? `${first.name}: ${first.message}` : view.sentences.join(' ');
  const author = view.authors.map(({ name }) => name).join(', ');
  return oneLine(author ? `${error} · ${author}` : error, 140);
}

function headersOf(input: MailInput, view: MailView): Record<string, string> {
  const project = token(input.project);
  return {
    'Auto-Submitted': 'auto-generated',
    'List-Id': `<${project}.slipway.${new URL(input.publicUrl).hostname}>`,
    'List-Unsubscribe': `<${link(input, 'settings', 'mail')}>`,
    'X-Slipway-Project': project,
    ...('pipeline' in input
      ? { 'X-Slipway-Pipeline': token(input.pipeline) }
      : { 'X-Slipway-Environment': token(input.environment), 'X-Slipway-Stack': token(input.stack) }),
    'X-Slipway-Result': view.word.toLowerCase().replaceAll(' ', '-'),
  };
}

/** For mail filters: one word, whatever a name holds. */
const token = (text: string): string => oneLine(text, 100).replace(/[^\w.-]+/g, '-');
