/** JUnit XML, as a dozen tools write it in as many ways. */
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { AppError, invalid, messageOf } from '../pipelines/errors.ts';
import type { TestResult } from '../pipelines/model.ts';

const MAX_BYTES = 20 * 1024 * 1024;
const MAX_TESTS = 50_000;
const MAX_MESSAGE = 8 * 1024;

/** An element: attributes as `@name`, text as `#text`, children by name. One without attributes and children is its text. */
type Element = string | { [name: string]: Element | Element[] | undefined };

/**
 * The tests of one report, in document order within each suite; at most 50,000. A suite is named for its `testsuite`, or
 * for the test's `classname` where that has no name. Throws `invalid` or `too_large`, naming `file`.
 */
export function parseJunit(xml: string, file = 'the test report'): TestResult[] {
  if (Buffer.byteLength(xml) > MAX_BYTES) throw new AppError('too_large', `${file} is longer than ${MAX_BYTES} bytes`);
  const results: TestResult[] = [];
  // A stack of its own: suites may be nested deeper than calls can be.
  const open: { element: Element; suite: string }[] = [{ element: parseXml(xml, file), suite: '' }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { element, suite } = next;
    for (const test of children(element, 'testcase')) {
      if (results.length === MAX_TESTS) return results;
      results.push(toResult(test, suite));
    }
    const suites = [...children(element, 'testsuites'), ...children(element, 'testsuite')];
    for (const inner of suites.reverse()) open.push({ element: inner, suite: attribute(inner, 'name') || suite });
  }
  return results;
}

function parseXml(xml: string, file: string): Element {
  const valid = XMLValidator.validate(xml);
  if (valid !== true) {
    throw invalid(
      `${file} is not well-formed XML: line ${valid.err.line}, column ${valid.err.col}: ${valid.err.msg}`,
      'junit',
    );
  }
  const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: '@',
    // Only the five entities every XML has are resolved (below), none that the file declares.
    processEntities: false,
    parseTagValue: false,
    parseAttributeValue: false,
  });
  let document: Element;
  try {
    document = parser.parse(xml) as Element;
  } catch (error) {
    throw invalid(`${file} cannot be read as XML: ${messageOf(error)}`, 'junit');
  }
  if (children(document, 'testsuites').length + children(document, 'testsuite').length === 0) {
    throw invalid(`${file} is not a JUnit report: expected a testsuite or testsuites element`, 'junit');
  }
  return document;
}

function toResult(test: Element, suite: string): TestResult {
  const faults = [...children(test, 'failure'), ...children(test, 'error')];
  const skipped = children(test, 'skipped');
  const message = [...faults, ...skipped].map(describe).filter(Boolean).join('\n').slice(0, MAX_MESSAGE);
  return {
    suite: suite || attribute(test, 'classname') || '',
    name: attribute(test, 'name') || '(no name)',
    result: faults.length > 0 ? 'failed' : skipped.length > 0 ? 'skipped' : 'passed',
    seconds: seconds(attribute(test, 'time')),
    ...(message === '' ? {} : { message }),
  };
}

/** The `message` and what stands in the element, which often begins with the message again. */
function describe(fault: Element): string {
  const message = attribute(fault, 'message') ?? attribute(fault, 'type') ?? '';
  const text = decode(typeof fault === 'string' ? fault : String(fault['#text'] ?? '')).trim();
  return text.includes(message) ? text : `${message}\n${text}`.trim();
}

/** Some tools write thousands with a comma. */
function seconds(text: string | undefined): number {
  const value = Number(text?.replaceAll(',', ''));
  return Number.isFinite(value) && value > 0 ? value : 0;
}

function children(element: Element, name: string): Element[] {
  const found = typeof element === 'object' && Object.hasOwn(element, name) ? element[name] : undefined;
  return found === undefined ? [] : Array.isArray(found) ? found : [found];
}

function attribute(element: Element, name: string): string | undefined {
  const [value] = children(element, `@${name}`);
  return typeof value === 'string' ? decode(value) : undefined;
}

const ENTITIES: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function decode(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]{1,6})|#([0-9]{1,7})|(lt|gt|amp|quot|apos));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return ENTITIES[name] ?? whole;
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
