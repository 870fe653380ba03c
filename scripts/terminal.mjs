/** What happens, told line by line: a mark, a title, a duration. On a terminal the last line moves while work goes on. */

const terminal = Boolean(process.stdout.isTTY);
const coloured = terminal && !process.env.NO_COLOR;
const codes = { red: 31, green: 32, yellow: 33, cyan: 36, dim: 2, bold: 1 };
const frames = ['◐', '◓', '◑', '◒'];

/** The line that moves: `{ title, since }`. There is one at most. */
let moving = null;

export const paint = (style, text) => (coloured ? `\u001b[${codes[style]}m${text}\u001b[0m` : text);

export const marks = {
  passed: paint('green', '✓'),
  failed: paint('red', '✗'),
  waiting: paint('yellow', '✋'),
  mail: paint('cyan', '✉'),
  note: paint('yellow', '!'),
};

/** `0.4 s`, `12 s`, `1 min 05 s`. */
export function duration(ms) {
  const seconds = ms / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
}

/** A line that stays. */
export function say(text = '') {
  erase();
  process.stdout.write(`${text}\n`);
  draw();
}

/** `  ✓ title   what   1.2 s`; what takes no time to speak of has none. */
export function tell(mark, title, what = '', ms = null) {
  const time = ms === null || ms < 50 ? '' : paint('dim', `  ${duration(ms)}`);
  const columns = [title.padEnd(what || time ? 22 : 0), ...(what ? [what] : [])];
  say(`  ${mark} ${columns.join(' ')}${time}`.trimEnd());
}

/** Shows `title` as under way until the function that comes back is called. Does nothing where the output is no terminal. */
export function begin(title) {
  const line = { title, since: Date.now() };
  moving = line;
  draw();
  const timer = terminal ? setInterval(draw, 150).unref() : null;
  return () => {
    clearInterval(timer);
    if (moving !== line) return;
    erase();
    moving = null;
  };
}

/** Does a piece of work, shown as it goes on and told once it is done; `what` may make words of its result. */
export async function step(title, work, what = () => '') {
  const since = Date.now();
  const end = begin(title);
  try {
    const result = await work();
    end();
    tell(marks.passed, title, what(result), Date.now() - since);
    return result;
  } catch (thrown) {
    end();
    tell(marks.failed, title, '', Date.now() - since);
    throw thrown;
  }
}

function draw() {
  if (!terminal || !moving) return;
  const elapsed = Date.now() - moving.since;
  const text = `  ${frames[Math.floor(elapsed / 150) % frames.length]} ${moving.title}  ${duration(elapsed)}`;
  process.stdout.write(`\r\u001b[K${paint('dim', text.slice(0, (process.stdout.columns || 80) - 1))}`);
}

function erase() {
  if (terminal && moving) process.stdout.write('\r\u001b[K');
}
