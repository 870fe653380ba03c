import { describe, expect, it } from 'vitest';
import { parseJunit } from '../../runner/junit.ts';

describe('JUnit reports', () => {
  it('a suite with every kind of result', () => {
    const xml = `<?xml version="1.0" encoding="UTF-8"?>
      <testsuite name="shop.CartTest" tests="4">
        <testcase classname="shop.CartTest" name="adds" time="0.25"/>
        <testcase classname="shop.CartTest" name="removes" time="1,000.5">
          <failure message="expected 1 &lt; 2 &amp;&#10;&quot;x&quot;" type="AssertionError">at Cart.java:12</failure>
        </testcase>
        <testcase classname="shop.CartTest" name="breaks"><error><![CDATA[boom <b>]]></error></testcase>
        <testcase classname="shop.CartTest" name="later"><skipped message="not yet"/></testcase>
      </testsuite>`;
    expect(parseJunit(xml)).toEqual([
      { suite: 'shop.CartTest', name: 'adds', result: 'passed', seconds: 0.25 },
      {
        suite: 'shop.CartTest',
        name: 'removes',
        result: 'failed',
        seconds: 1000.5,
        message: 'expected 1 < 2 &\n"x"\nat Cart.java:12',
      },
      { suite: 'shop.CartTest', name: 'breaks', result: 'failed', seconds: 0, message: 'boom <b>' },
      { suite: 'shop.CartTest', name: 'later', result: 'skipped', seconds: 0, message: 'not yet' },
    ]);
  });

  it('nested suites, in order, and a suite without a name', () => {
    const xml = `<testsuites name="all"><testsuite name="a"><testsuite name="a.b"><testcase name="1"/></testsuite><testcase name="2"/></testsuite>
      <testsuite><testcase classname="C" name="3"/><testcase/></testsuite></testsuites>`;
    expect(parseJunit(xml).map(({ suite, name }) => `${suite}/${name}`)).toEqual([
      'a/2',
      'a.b/1',
      'all/3',
      'all/(no name)',
    ]);
    expect(parseJunit('<testsuite><testcase classname="C" name="3"/></testsuite>')).toMatchObject([{ suite: 'C' }]);
  });

  it('missing and odd attributes', () => {
    const xml =
      '<testsuite name="s"><testcase name="x" time="NaN"/><testcase name="0012" time="-1"><skipped/></testcase></testsuite>';
    expect(parseJunit(xml)).toEqual([
      { suite: 's', name: 'x', result: 'passed', seconds: 0 },
      { suite: 's', name: '0012', result: 'skipped', seconds: 0 },
    ]);
    expect(parseJunit('<testsuites/>')).toEqual([]);
  });

  it('declared entities are not expanded', () => {
    const xml =
      '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><testsuite name="s"><testcase name="&b;"/></testsuite>';
    expect(parseJunit(xml)[0]?.name).toBe('&b;');
    const external = '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><testsuite name="&f;"/>';
    expect(() => parseJunit(external)).toThrow(expect.objectContaining({ code: 'invalid' }));
  });

  it('names like those of an object’s own members are only names', () => {
    const xml =
      '<testsuite name="__proto__"><testcase name="constructor"><__proto__ polluted="1"/></testcase></testsuite>';
    const parse = () => parseJunit(xml);
    try {
      expect(parse()).toMatchObject([{ suite: '__proto__', name: 'constructor' }]);
    } catch (error) {
      expect(error).toMatchObject({ code: 'invalid' });
    }
    expect(({} as Record<string, unknown>)['@polluted']).toBeUndefined();
  });

  it('messages are cut at 8 KiB and tests at 50,000', () => {
    const long = `<testsuite name="s"><testcase name="x"><failure>${'y'.repeat(10_000)}</failure></testcase></testsuite>`;
    expect(parseJunit(long)[0]?.message).toHaveLength(8192);
    const many = `<testsuite name="s">${'<testcase name="x"/>'.repeat(50_001)}</testsuite>`;
    expect(parseJunit(many)).toHaveLength(50_000);
  });

  it.each([
    ['', 'not'],
    ['not XML at all', 'not'],
    ['<testsuite><testcase></testsuite>', 'line 1'],
    ['<html><body/></html>', 'testsuite'],
    [`${'<testsuite>'.repeat(5_000)}${'</testsuite>'.repeat(5_000)}`, 'XML'],
  ])('a report is refused by name: %#', (xml, part) => {
    expect(() => parseJunit(xml, 'out/report.xml')).toThrow(
      expect.objectContaining({
        code: 'invalid',
        message: expect.stringMatching(new RegExp(`out/report.xml.*${part}`, 's')),
      }),
    );
  });

  it('more than 20 MiB are refused', () => {
    const xml = `<testsuite>${' '.repeat(20 * 1024 * 1024)}</testsuite>`;
    expect(() => parseJunit(xml, 'big.xml')).toThrow(expect.objectContaining({ code: 'too_large' }));
  });
});
