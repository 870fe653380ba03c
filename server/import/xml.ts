/** XML as a tree in the order of the document. No document types, no entities of its own, bounded in size and depth. */
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { AppError, invalid, messageOf } from '../../pipelines/errors.ts';
import { MAX_DEPTH, MAX_SOURCE } from './notes.ts';

export interface Element {
  name: string;
  attributes: Record<string, string>;
  children: Element[];
  /** Its own text, without that of its children, and not trimmed. */
  text: string;
  line: number;
}

/** The root. Throws `invalid` or `too_large`. */
export function parseXml(source: string): Element {
  if (Buffer.byteLength(source) > MAX_SOURCE)
    throw new AppError('too_large', `this file is longer than ${MAX_SOURCE / 1024} KiB`);
  const xml = source.replace(/^\uFEFF/, '').trim();
  // A document type can declare entities: names of files, or a text that grows to gigabytes.
  if (/<!(DOCTYPE|ENTITY)/i.test(withoutCdata(xml))) throw invalid('XML with a document type is not read');
  const valid = XMLValidator.validate(xml);
  if (valid !== true) throw invalid(`this is no XML: line ${valid.err.line}: ${valid.err.msg}`);
  const root = elementsOf(parse(xml), lineCounter(xml), 0)[0];
  if (!root) throw invalid('this XML has no element');
  return root;
}

const withoutCdata = (xml: string): string => xml.replace(/<!\[CDATA\[[\s\S]*?\]\]>/g, '');

type Raw = Record<string, unknown>;
const META = XMLParser.getMetaDataSymbol() as unknown as string;

function parse(xml: string): Raw[] {
  const parser = new XMLParser({
    preserveOrder: true,
    ignoreAttributes: false,
    attributeNamePrefix: '',
    processEntities: false,
    parseTagValue: false,
    trimValues: false,
    ignoreDeclaration: true,
    ignorePiTags: true,
    cdataPropName: '#cdata',
    captureMetaData: true,
  });
  try {
    return parser.parse(xml) as Raw[];
  } catch (error) {
    throw invalid(`this XML cannot be read: ${messageOf(error)}`);
  }
}

function elementsOf(nodes: readonly Raw[], lineAt: (offset: number) => number, depth: number): Element[] {
  if (depth > MAX_DEPTH) throw invalid(`nested deeper than ${MAX_DEPTH} levels`);
  return nodes.flatMap((node) => {
    const name = Object.keys(node).find((key) => key !== ':@');
    if (name === undefined || name.startsWith('#')) return [];
    const inner = node[name] as Raw[];
    const meta = node[META] as { startIndex?: number } | undefined;
    return [
      {
        name,
        attributes: decodeAll((node[':@'] ?? {}) as Record<string, string>),
        children: elementsOf(inner, lineAt, depth + 1),
        text: inner.map(textOf).join(''),
        line: lineAt(meta?.startIndex ?? 0),
      },
    ];
  });
}

function textOf(node: Raw): string {
  if (typeof node['#text'] === 'string') return decode(node['#text']);
  const data = node['#cdata'] as Raw[] | undefined;
  return data?.map((each) => String(each['#text'] ?? '')).join('') ?? '';
}

function lineCounter(xml: string): (offset: number) => number {
  const breaks = [...xml.matchAll(/\n/g)].map(({ index }) => index);
  return (offset) => {
    let [low, high] = [0, breaks.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((breaks[middle] as number) < offset) low = middle + 1;
      else high = middle;
    }
    return low + 1;
  };
}

const decodeAll = (attributes: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, decode(value)]));

const ENTITIES: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/** The five entities that every XML has, and characters by number. */
function decode(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]{1,6})|#([0-9]{1,7})|(lt|gt|amp|quot|apos));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return ENTITIES[name.toLowerCase()] ?? whole;
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

export const child = (element: Element | undefined, name: string): Element | undefined =>
  element?.children.find((each) => each.name === name);

/** The element at the end of a path such as `definition/script`. */
export const at = (element: Element | undefined, path: string): Element | undefined =>
  path.split('/').reduce<Element | undefined>(child, element);

/** Its text, trimmed; '' where there is none. */
export const textAt = (element: Element | undefined, path: string): string => at(element, path)?.text.trim() ?? '';

/** All elements of this name below, at any depth. */
export function descendants(element: Element | undefined, name: string): Element[] {
  return (element?.children ?? []).flatMap((each) => [
    ...(each.name === name ? [each] : []),
    ...descendants(each, name),
  ]);
}

/** An element as one line for a comment: its name, and what is said in it. */
export function summary(element: Element): string {
  const name = element.name.split('.').at(-1) ?? element.name;
  const said = leaves(element).slice(0, 12).join(', ');
  return said === '' ? name : `${name}: ${said.length > 300 ? `${said.slice(0, 300)}…` : said}`;
}

/** What is only the default says nothing. */
function leaves(element: Element): string[] {
  if (element.children.length > 0) return element.children.flatMap(leaves);
  const text = element.text.trim();
  return ['', 'false', '-1', '0'].includes(text) ? [] : [`${element.name}=${text}`];
}
