import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { buildScript } from '../../runner/steps/script.ts';

const runIt = (...run: string[]): string => execFileSync('sh', ['-e', '-c', buildScript(run)], { encoding: 'utf8' });

describe('buildScript', () => {
  it('shows each command right before it runs', () => {
    expect(runIt('echo one', 'echo two')).toBe('» echo one\none\n» echo two\ntwo\n');
  });

  it('shows every line of a command of several', () => {
    expect(runIt('for i in 1 2\ndo echo $i\ndone\n', 'true')).toBe(
      '» for i in 1 2\n» do echo $i\n» done\n1\n2\n» true\n',
    );
  });

  it('leaves the log of a single command to its output', () => {
    expect(runIt('echo one')).toBe('one\n');
  });

  it.each(["echo 'it'\\''s'", 'echo "$(echo x)" %s \\n', 'true # `id` $HOME', ": 'a\\'"])(
    'shows %s as it is written',
    (command) => {
      expect(runIt(command, 'true').split('\n')[0]).toBe(`» ${command}`);
    },
  );

  it('is one script: what a command sets holds for the next', () => {
    expect(runIt('cd /', 'A=1', 'pwd; echo $A')).toContain('/\n1\n');
  });

  it('keeps the order between standard output and standard error', () => {
    expect(runIt('echo 1; echo 2 >&2; echo 3')).toContain('1\n2\n3\n');
  });

  it('ends at the first command that fails', () => {
    expect(() => runIt('false', 'echo never')).toThrow();
  });

  it('passes heredocs on', () => {
    expect(runIt('cat <<X\nhello\nX')).toBe('hello\n');
  });

  it('is valid without commands', () => {
    expect(runIt()).toBe('');
  });
});
