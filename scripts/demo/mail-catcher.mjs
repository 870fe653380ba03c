/**
 * Takes all mail, delivers none, and shows it on a page. By itself:
 *
 *     node scripts/demo/mail-catcher.mjs [SMTP-PORT [WEB-PORT]]        1025 and 8025, on MAIL_HOST (127.0.0.1)
 */
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';

/** Older ones are forgotten. */
const KEPT = 200;
const MAX_BYTES = 10 * 1024 * 1024;

/**
 * Answers `{ smtp, url, mails, stop }`. A mail is `{ id, from, to, subject, at, text, html, messageId }`; `onMail` is called
 * with each that comes in.
 */
export async function startMailCatcher({ host = '127.0.0.1', smtpPort = 0, webPort = 0, onMail = () => {} } = {}) {
  const mails = [];
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    size: MAX_BYTES,
    onAuth: ({ username }, _session, done) => done(null, { user: username }),
    onData: (stream, { envelope }, done) => {
      simpleParser(stream).then((parsed) => {
        const mail = {
          id: (mails[0]?.id ?? 0) + 1,
          from: parsed.from?.text ?? '',
          to: envelope.rcptTo.map(({ address }) => address).join(', '),
          subject: parsed.subject ?? '(no subject)',
          at: new Date(),
          text: parsed.text ?? '',
          html: parsed.html || null,
          messageId: parsed.messageId ?? null,
        };
        mails.unshift(mail);
        mails.length = Math.min(mails.length, KEPT);
        done();
        onMail(mail);
      }, done);
    },
  });
  // A client that goes away in mid-sentence is no reason to stop.
  smtp.on('error', (error) => console.error(`mail catcher: ${error.message}`));
  const web = createServer((request, response) => answer(mails, request, response));
  await Promise.all([listen(smtp, smtpPort, host), listen(web, webPort, host)]);
  return {
    smtp: `smtp://${host}:${smtp.server.address().port}`,
    url: `http://${host}:${web.address().port}`,
    mails,
    stop: () => {
      web.closeAllConnections();
      return Promise.all([new Promise((done) => smtp.close(done)), new Promise((done) => web.close(done))]);
    },
  };
}

const listen = (server, port, host) =>
  new Promise((resolve, reject) => {
    const at = server.server ?? server;
    at.once('error', reject);
    server.listen(port, host, () => {
      at.off('error', reject);
      resolve();
    });
  });

function answer(mails, { url, method }, response) {
  const { pathname } = new URL(url, 'http://catcher');
  const [, id, part] = /^\/(\d+)(?:\/(html|text))?$/.exec(pathname) ?? [];
  const mail = mails.find((each) => each.id === Number(id));
  if (method !== 'GET') return send(response, 405, 'text/plain', 'GET only\n');
  if (pathname === '/') return send(response, 200, 'text/html', page('Mail', list(mails)));
  if (pathname === '/mails.json') return send(response, 200, 'application/json', JSON.stringify(mails));
  if (!mail)
    return send(response, 404, 'text/html', page('Not here', '<p>There is no such mail. <a href="/">All mail</a></p>'));
  // Links of a mail open beside this page, not in its frame.
  if (part === 'html') return send(response, 200, 'text/html', `<base target="_blank">${mail.html ?? ''}`);
  if (part === 'text') return send(response, 200, 'text/plain', mail.text);
  return send(response, 200, 'text/html', page(mail.subject, single(mail)));
}

/** A mail is shown in a frame without scripts and without an origin, and may fetch nothing. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self'; frame-ancestors 'self'";

function send(response, status, type, body) {
  response.writeHead(status, {
    'content-type': `${type}; charset=utf-8`,
    'content-security-policy': POLICY,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
  });
  response.end(body);
}

const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escaped = (text) => String(text).replace(/[&<>"']/g, (character) => entities[character]);
const time = (date) => date.toISOString().slice(11, 19);

const list = (mails) => `
<h1>Mail <small>${mails.length}</small></h1>
${mails.length === 0 ? '<p>Nothing yet. This page looks again every three seconds.</p>' : ''}
<ul>${mails
  .map(
    ({ id, subject, to, at }) =>
      `<li><a href="/${id}"><b>${escaped(subject)}</b><span>to ${escaped(to)}</span><time>${time(at)}</time></a></li>`,
  )
  .join('')}</ul>
<meta http-equiv="refresh" content="3">`;

const single = ({ id, subject, from, to, at, html }) => `
<p><a href="/">← All mail</a></p>
<h1>${escaped(subject)}</h1>
<p>${escaped(from)} → ${escaped(to)}, ${time(at)} UTC · <a href="/${id}/text">as text</a></p>
<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" src="/${id}/${html ? 'html' : 'text'}" title="The mail"></iframe>`;

const page = (title, body) => `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>
  :root { color-scheme: light dark }
  body { max-width: 48rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif }
  h1 { font-size: 1.3rem } small, span, time { color: GrayText; font-weight: normal }
  ul { padding: 0; list-style: none }
  li a { display: flex; flex-wrap: wrap; gap: 0 1rem; padding: .6rem 0; border-top: 1px solid #8884; color: inherit; text-decoration: none }
  li b { flex: 1 1 20rem }
  iframe { width: 100%; height: 75vh; border: 1px solid #8884; border-radius: 6px; background: #fff }
</style>
${body}
</html>`;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [smtpPort, webPort] = process.argv.slice(2).map(Number);
  const host = process.env.MAIL_HOST ?? '127.0.0.1';
  const catcher = await startMailCatcher({ host, smtpPort: smtpPort ?? 1025, webPort: webPort ?? 8025 });
  console.log(`mail catcher: ${catcher.smtp}, page ${catcher.url}`);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => catcher.stop());
}
